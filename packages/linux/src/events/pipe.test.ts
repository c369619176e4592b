import { spawnSync } from 'node:child_process'
import { mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EAGAIN } from '@vring/layout'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { closeFd, createMemfd, isPipe, PipeSignal, PipeStream, processResources, unsupportedHost } from '../index.ts'

const reason = unsupportedHost()

describe.skipIf(reason !== null)(`pipes${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  let path: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-pipe-'))
    path = join(folder, 'pipe')
    spawnSync('mkfifo', [path])
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  test('are told from other descriptors', () => {
    const pipe = openSync(path, 'r+')
    const memory = createMemfd('no-pipe', 4096)
    expect([isPipe(pipe), isPipe(memory)]).toEqual([true, false])
    for (const fd of [pipe, memory]) closeFd(fd)
  })

  test('are signalled by 8 bytes, also while they are full, and when another makes their open file wait', async () => {
    const before = processResources().openFds
    // r+ is blocking: what a writer of this open file would wait for.
    const other = openSync(path, 'r+')
    const given = openSync(path, 'r+')
    const signal = new PipeSignal(given)
    signal.signal()
    const bytes = new Uint8Array(16)
    expect(readSync(other, bytes)).toBe(8)
    expect([...bytes.subarray(0, 8)]).toEqual([1, 0, 0, 0, 0, 0, 0, 0])
    for (let i = 0; i < 20_000; i++) signal.signal()
    expect(readSync(other, new Uint8Array(4096))).toBe(4096)
    closeFd(other)
    // Without a reader: no error, no signal of the system.
    signal.signal()
    signal.close()
    signal.close()
    await vi.waitFor(() => expect(processResources().openFds).toBeLessThanOrEqual(before), 10_000)
  })

  test('carry a stream that never waits, in the direction of the end that was given', () => {
    const write = new PipeStream(openSync(path, 'r+'))
    const read = new PipeStream(openSync(path, 'r'))
    expect(read.read(new Uint8Array(4))).toBe(EAGAIN)
    expect(write.write(Uint8Array.of(1, 2, 3))).toBe(3)
    const into = new Uint8Array(4)
    expect(read.read(into)).toBe(3)
    expect([...into]).toEqual([1, 2, 3, 0])
    while (write.write(new Uint8Array(65_536)) !== EAGAIN);
    write.close()
    read.close()
  })
})
