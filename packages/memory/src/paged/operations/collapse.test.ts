import { describe, expect, it } from 'vitest'
import { codeOf } from '../../../test/code-of.ts'
import { byte, PAGE, traced } from '../../../test/traced-space.ts'
import { ACCESS_READ } from '../../address-map.ts'
import { HUGE_BYTES } from '../../page-size.ts'
import { auditFrames } from '../audit.ts'
import { PagedSpace } from '../paged-space.ts'

describe('operations on a PagedSpace', () => {
  it('collapse takes small pages away under one invalidation of 2 MiB; split keeps the frames', () => {
    const { space, log, trace } = traced({ frames: 2048 })
    const address = space.mmap({ address: HUGE_BYTES * 1000, length: 2 * HUGE_BYTES })
    space.write(address + 5 * PAGE, Uint8Array.of(7))
    trace(address, address + 5 * PAGE)
    expect(space.collapse(address)).toBe(true)
    expect(log.splice(0)).toEqual(['start clear 0..512: frame 0', 'end clear 0..512: absent'])
    expect(byte(space, address + 5 * PAGE)).toBe(7)
    const base = space.resolve(address, HUGE_BYTES, ACCESS_READ)
    expect(base % HUGE_BYTES).toBe(0)
    expect(space.physical.isFree(0)).toBe(true)
    expect(space.collapse(address)).toBe(false)
    expect(auditFrames(space.physical)).toEqual([])
    space.split(address + 100 * PAGE)
    expect(log.splice(0)).toHaveLength(2)
    expect(space.resolve(address, HUGE_BYTES, ACCESS_READ)).toBe(base)
    expect(auditFrames(space.physical)).toEqual([])
    expect(codeOf(() => space.collapse(address + PAGE))).toBe('ERR_MISALIGNED')
  })

  it('an operation that cuts through a huge page splits it first, under an invalidation of all of it', () => {
    const { space, log, trace } = traced({ frames: 2048 })
    const address = space.mmap({ address: HUGE_BYTES * 1000, length: HUGE_BYTES })
    space.collapse(address)
    trace(address)
    space.munmap(address, PAGE)
    expect(log.filter((line) => line.startsWith('start'))).toEqual([
      'start clear 0..512: frame 0',
      'start unmap 0..1: frame 0',
    ])
    expect(space.physical.freeFrames).toBe(2048 - 511)
    expect(auditFrames(space.physical)).toEqual([])
  })

  it('a huge page survives fork, copy-on-write, migration, moving and swap', () => {
    const space = new PagedSpace({ frames: 4096 })
    const address = space.mmap({ address: HUGE_BYTES * 1000, length: HUGE_BYTES })
    space.collapse(address)
    space.write(address + 7 * PAGE, Uint8Array.of(7))
    const child = space.fork()
    space.write(address + 7 * PAGE, Uint8Array.of(8))
    expect(byte(child, address + 7 * PAGE)).toBe(7)
    child.write(address + 8 * PAGE, Uint8Array.of(9))
    expect(child.migrate(address, 16 * PAGE)).toBe(16)
    expect(child.mremap(address, HUGE_BYTES, HUGE_BYTES, address + 16 * HUGE_BYTES)).toBe(address + 16 * HUGE_BYTES)
    expect(child.reclaim(address + 16 * HUGE_BYTES, 16 * PAGE)).toBe(16)
    expect(byte(child, address + 16 * HUGE_BYTES + 8 * PAGE)).toBe(9)
    expect(auditFrames(space.physical)).toEqual([])
    child.close()
    // Alone again with a huge page, the last user writes in place.
    const other = space.fork()
    other.close()
    space.write(address + 9 * PAGE, Uint8Array.of(1))
    expect(auditFrames(space.physical)).toEqual([])
    space.close()
    expect([space.physical.freeFrames, space.physical.swap.size]).toEqual([4096, 0])
  })
})
