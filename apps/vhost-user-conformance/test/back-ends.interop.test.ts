import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { unsupportedHost } from '@vring/linux'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { DeviceName } from '../src/device/profile.ts'
import { type CaseResult, judge } from '../src/judge.ts'
import { Target } from '../src/target.ts'
import { confirmedOf } from './confirmed.ts'
import { missingPeer, PEERS } from './peers.ts'
import { keepResults, resultsSection, withResults } from './results-table.ts'

const host = unsupportedHost()
const SERVE = fileURLToPath(new URL('../../serve/dist/cli.js', import.meta.url))
const README = new URL('../README.md', import.meta.url)

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vring-judge-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function judged(device: DeviceName, spawn: string): Promise<readonly CaseResult[]> {
  const target = new Target({ socket: join(folder, 'vhost.sock'), spawn })
  try {
    await target.start()
    return (await judge({ target, device })).results
  } finally {
    await target.close()
  }
}

function failed(results: readonly CaseResult[]): Pick<CaseResult, 'id' | 'reason'>[] {
  return results.filter(({ result }) => result === 'fail').map(({ id, reason }) => ({ id, reason }))
}

describe.skipIf(host !== null)(`vring-serve${host === null ? '' : ` (skipped: ${host})`}`, () => {
  test('passes every case that applies to it, as a network device', async () => {
    const command = `exec ${process.execPath} ${SERVE} --socket {socket} --backend loopback --queues 4`
    const results = await judged('net', command)
    expect(failed(results)).toEqual([])
    expect(results.filter(({ result }) => result === 'pass').length).toBeGreaterThan(260)
  })

  test('passes every case that applies to it, as a disk', async () => {
    const disk = join(folder, 'disk.img')
    writeFileSync(disk, '')
    truncateSync(disk, 16 << 20)
    const results = await judged(
      'blk',
      `exec ${process.execPath} ${SERVE} block --socket {socket} --file ${disk} --queues 4`,
    )
    expect(failed(results)).toEqual([])
    expect(results.filter(({ result }) => result === 'pass').length).toBeGreaterThan(300)
  })
})

describe.each(PEERS)('$name', (peer) => {
  const reason = host ?? missingPeer(peer)
  test.skipIf(reason !== null)(
    `fails nothing that is not known to be its own fault${reason === null ? '' : ` (skipped: ${reason})`}`,
    async () => {
      const results = await judged(peer.device, peer.spawn(folder))
      if (process.env['UPDATE_RESULTS'] === '1') {
        keepResults(peer.id, results)
        writeFileSync(README, withResults(readFileSync(README, 'utf8'), resultsSection()))
      }
      expect(failed(results).filter(({ id }) => confirmedOf(peer.id, id) === null)).toEqual([])
      expect(results.filter(({ result }) => result === 'pass').length).toBeGreaterThan(190)
    },
  )
})
