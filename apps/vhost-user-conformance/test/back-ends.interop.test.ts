import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { unsupportedHost } from '@vring/linux'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { judge } from '../src/judge.ts'
import { Target } from '../src/target.ts'

const reason = unsupportedHost()
const SERVE = fileURLToPath(new URL('../../serve/dist/cli.js', import.meta.url))

describe.skipIf(reason !== null)(`real back-ends${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-judge-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  test('vring-serve passes every case that applies to it', async () => {
    const spawn = `exec ${process.execPath} ${SERVE} --socket {socket} --backend loopback --queues 2`
    const target = new Target({ socket: join(folder, 'vhost.sock'), spawn })
    try {
      await target.start()
      const { results } = await judge({ target, device: 'net' })
      expect(results.filter(({ result }) => result === 'fail')).toEqual([])
      expect(results.filter(({ result }) => result === 'pass').length).toBeGreaterThan(60)
    } finally {
      await target.close()
    }
  })
})
