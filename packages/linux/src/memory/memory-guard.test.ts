import { spawnSync } from 'node:child_process'
import { ftruncateSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { closeFd } from '../descriptors/fd.ts'
import { EventFd } from '../events/eventfd.ts'
import { libc, unsupportedHost } from '../libc.ts'
import { processResources } from '../processes/process-resources.ts'
import { Mapping } from './mapping.ts'
import { createMemfd } from './memfd.ts'
import { GUARDS_MAX, guardFaults, MemoryGuard, unguardedHost } from './memory-guard.ts'

const reason = unsupportedHost() ?? unguardedHost()

/** Two pages of a file, of which the second is cut off. */
function shrunk(pages = 2): { mapping: Mapping; bytes: Uint8Array } {
  const fd = createMemfd('shrunk', 4096 * pages, { sealed: false })
  const mapping = Mapping.of(fd, { length: 4096 * pages, guard: true })
  const bytes = new Uint8Array(mapping.buffer)
  bytes.fill(1)
  ftruncateSync(fd, 4096)
  closeFd(fd)
  return { mapping, bytes }
}

function child(mode: string): { output: string[]; signal: string | null; status: number | null } {
  const script = fileURLToPath(new URL('../../test/fault.ts', import.meta.url))
  const { stdout, signal, status } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--conditions=@vring/source', script, mode],
    { encoding: 'utf8', timeout: 25_000 },
  )
  return { output: stdout.trim().split('\n'), signal, status }
}

describe.skipIf(reason !== null)(`guarded memory${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  test('a page that its file has lost is one of zeros, counted once, and the others stay', () => {
    const before = guardFaults()
    const { mapping, bytes } = shrunk(4)
    expect([bytes[100], bytes[4096], bytes[4097]]).toEqual([1, 0, 0])
    expect(mapping.faults).toBe(1)
    bytes[3 * 4096] = 5
    expect([bytes[3 * 4096], mapping.faults, guardFaults() - before]).toEqual([5, 2, 2])
    mapping.unmap()
    expect(mapping.faults).toBe(0)
  })

  test('copies of all kinds go through it: by the engine, by its library, and loops that were optimised', () => {
    const { mapping, bytes } = shrunk(64)
    const to = new Uint8Array(4096)
    to.set(bytes.subarray(4096, 8192))
    bytes.copyWithin(3 * 4096, 0, 100)
    expect(Buffer.compare(bytes.subarray(5 * 4096, 6 * 4096), to)).toBe(0)
    let sum = 0
    for (let round = 0; round < 50; round++) for (let i = 6 * 4096; i < 64 * 4096; i++) sum += bytes[i]!
    expect([sum, bytes[3 * 4096], mapping.faults]).toEqual([0, 1, 61])
    mapping.unmap()
  })

  test('a system call on a page that is gone says EFAULT, and touches nothing', () => {
    const { mapping, bytes } = shrunk()
    const event = EventFd.create()
    expect(libc().write(event.fd, new Uint8Array(bytes.buffer, 4096, 8), 8)).toBe(-1)
    expect(libc().errno()).toBe(14)
    expect(mapping.faults).toBe(0)
    event.close()
    mapping.unmap()
  })

  test('a thousand mappings leave nothing, and each knows its own faults', () => {
    const kept = shrunk()
    const before = processResources()
    for (let i = 0; i < 1000; i++) {
      const { mapping, bytes } = shrunk()
      if (i % 2 === 0) bytes[4096] = 1
      expect(mapping.faults).toBe(i % 2 === 0 ? 1 : 0)
      mapping.unmap()
    }
    expect(processResources().mappings).toBeLessThan(before.mappings + 500)
    expect(kept.mapping.faults).toBe(0)
    kept.mapping.unmap()
  })

  test('more ranges than the table holds are refused', () => {
    const guards: MemoryGuard[] = []
    expect(() => {
      for (let i = 0; i <= GUARDS_MAX; i++) guards.push(MemoryGuard.of(BigInt(4096 * (i + 1)), 4096, 4096))
    }).toThrow(`accepted: at most ${GUARDS_MAX}`)
    for (const guard of guards) guard.release()
    shrunk().mapping.unmap()
  })

  test('memory of no guard ends the process, as it did before', () => {
    expect(child('unguarded')).toMatchObject({ output: ['7 1'], signal: 'SIGBUS' })
  })

  test('a SIGBUS that a process sends ends this one', () => {
    expect(child('sent')).toMatchObject({ output: ['7 1'], signal: 'SIGBUS' })
  })

  test('threads have one handler and one table', () => {
    expect(child('thread')).toMatchObject({ output: ['7 1', '7 2'], status: 0 })
  })
})
