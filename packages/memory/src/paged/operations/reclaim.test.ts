import { describe, expect, it } from 'vitest'
import { byte, frameAt, PAGE, traced } from '../../../test/traced-space.ts'
import { ACCESS_READ } from '../../address-map.ts'
import { auditFrames } from '../audit.ts'
import { PagedSpace } from '../paged-space.ts'

describe('operations on a PagedSpace', () => {
  it('swap takes pages out of every space that maps them, and brings one frame back for all', () => {
    const { space, log, trace } = traced()
    const address = space.mmap({ length: PAGE })
    space.write(address, Uint8Array.of(7))
    const child = space.fork()
    trace(address)
    expect(space.reclaim(address, PAGE)).toBe(1)
    expect(log).toEqual(['start clear 0..1: frame 0', 'end clear 0..1: absent'])
    expect(space.physical.freeFrames).toBe(64)
    expect(space.physical.swap.size).toBe(1)
    expect(byte(space, address)).toBe(7)
    expect(byte(child, address)).toBe(7)
    expect(frameAt(child, address)).toBe(frameAt(space, address))
    child.write(address, Uint8Array.of(8))
    expect(byte(space, address)).toBe(7)
    expect(auditFrames(space.physical)).toEqual([])
    child.close()
    space.close()
    expect([space.physical.freeFrames, space.physical.swap.size]).toEqual([64, 0])
  })

  it('M7: a write past the page table that is not marked dirty is lost when a clean page leaves; marked, it stays', () => {
    for (const mark of [false, true]) {
      const space = new PagedSpace({ frames: 8 })
      const address = space.mmap({ length: PAGE, populate: true })
      space.reclaim(address, PAGE)
      expect(byte(space, address)).toBe(0)
      // In memory again, clean, with a copy in swap. A write fault makes it writable, but swap keeps the copy.
      const read = space.mapKernel({ address, length: PAGE, write: true, mapping: 'vmap' })
      if (typeof read === 'string') throw new Error(read)
      space.view.u8[read.base] = 7
      if (mark) read.markDirty()
      read.release()
      space.reclaim(address, PAGE)
      expect(byte(space, address)).toBe(mark ? 7 : 0)
    }
  })

  it('a page that was swapped in and written is written out again; one that was never out is, dirty or not', () => {
    const space = new PagedSpace({ frames: 8 })
    const address = space.mmap({ length: PAGE })
    // Only read so far, so clean; written past the page table: the first time out saves everything.
    const at = space.resolve(address, 1, ACCESS_READ)
    space.view.u8[at] = 5
    space.reclaim(address, PAGE)
    expect(byte(space, address)).toBe(5)
    space.write(address, Uint8Array.of(6))
    space.reclaim(address, PAGE)
    expect(byte(space, address)).toBe(6)
  })

  it('a page that another process still has in swap is copied before it is written', () => {
    const space = new PagedSpace({ frames: 8 })
    const address = space.mmap({ length: PAGE })
    space.write(address, Uint8Array.of(7))
    const child = space.fork()
    space.reclaim(address, PAGE)
    space.write(address, Uint8Array.of(8))
    expect([byte(space, address), byte(child, address)]).toEqual([8, 7])
    expect(auditFrames(space.physical)).toEqual([])
  })
})
