import { describe, expect, it } from 'vitest'
import { byte, frameAt, PAGE, traced } from '../../../test/traced-space.ts'
import { auditFrames } from '../audit.ts'
import { PagedSpace } from '../paged-space.ts'

describe('operations on a PagedSpace', () => {
  it('KSM merges equal pages under three invalidations, and a write gives the writer its own again', () => {
    const { space, log, trace } = traced()
    const address = space.mmap({ length: 3 * PAGE })
    space.write(address, Uint8Array.of(7))
    space.write(address + PAGE, Uint8Array.of(7))
    space.write(address + 2 * PAGE, Uint8Array.of(8))
    trace(address, address + PAGE)
    expect(space.merge(address, space, address + PAGE)).toBe(true)
    expect(log.splice(0)).toEqual([
      'start clear 0..1: frame 1',
      'end clear 0..1: frame 1',
      'start clear 1..2: frame 1',
      'end clear 1..2: frame 1',
      'start clear 1..2: frame 1',
      'end clear 1..2: frame 0',
    ])
    expect(space.merge(address, space, address + 2 * PAGE)).toBe(false)
    expect(space.merge(address, space, address + PAGE)).toBe(false)
    log.length = 0
    space.write(address + PAGE, Uint8Array.of(9))
    expect(log).toEqual(['start clear 1..2: frame 0', 'end clear 1..2: frame 1'])
    expect(byte(space, address)).toBe(7)
    // A merged page is copied even by its last user.
    space.write(address, Uint8Array.of(1))
    expect(frameAt(space, address)).not.toBe(0)
    expect(auditFrames(space.physical)).toEqual([])
  })

  it('unmerge gives every merged page a frame of its own', () => {
    const space = new PagedSpace({ frames: 16 })
    const address = space.mmap({ length: 2 * PAGE, populate: true })
    space.merge(address, space, address + PAGE)
    expect(space.physical.freeFrames).toBe(15)
    expect(space.unmerge(address, 2 * PAGE)).toBe(2)
    expect(space.physical.freeFrames).toBe(14)
    expect(space.unmerge(address, 2 * PAGE)).toBe(0)
  })
})
