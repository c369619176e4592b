import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EventFd, unsupportedHost } from '@vring/linux'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { readArguments } from '../config/arguments.ts'
import { resolveConfig } from '../config/config.ts'
import { runDaemon } from './daemon.ts'

const reason = unsupportedHost()

describe.skipIf(reason !== null)(`a daemon${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-daemon-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  /** What it says when it is stopped while its status page begins. */
  async function stoppedWhileItStarts(): Promise<string[]> {
    const args = ['--socket', join(folder, 'vring.sock'), '--backend', 'drop', '--metrics', '127.0.0.1:0']
    const config = await resolveConfig(readArguments(args, []), null)
    const lines: string[] = []
    const stop = new AbortController()
    const done = runDaemon(config, stop.signal, (line) => lines.push(line))
    stop.abort()
    await done
    return lines
  }

  test('ends when it is stopped before its device is there', async () => {
    expect((await stoppedWhileItStarts()).at(-1)).toBe('stopped')
  })

  test('says at its start what it has to do without on riscv64', async () => {
    // The C library is loaded as what the host is.
    EventFd.create().close()
    vi.stubGlobal(
      'process',
      new Proxy(process, { get: (of, key) => (key === 'arch' ? 'riscv64' : Reflect.get(of, key)) }),
    )
    try {
      expect((await stoppedWhileItStarts())[0]).toMatch(/no SIGBUS handler for riscv64: /)
    } finally {
      vi.unstubAllGlobals()
    }
  })
})
