import { EFAULT } from '@vring/layout'
import { describe, expect, it } from 'vitest'
import { byte, PAGE, traced } from '../../../test/traced-space.ts'
import { ACCESS_READ, ACCESS_WRITE } from '../../address-map.ts'
import { PageCache } from '../page-cache.ts'
import { PagedSpace } from '../paged-space.ts'

describe('operations on a PagedSpace', () => {
  it('mprotect gives no write permission that would skip copy-on-write or the notice of a file', () => {
    const space = new PagedSpace({ frames: 8 })
    const address = space.mmap({ length: PAGE })
    space.write(address, Uint8Array.of(7))
    const child = space.fork()
    space.mprotect(address, PAGE, { read: true, write: true })
    space.write(address, Uint8Array.of(8))
    expect(byte(child, address)).toBe(7)

    const file = new PageCache(space.physical, 'file', PAGE)
    const mapped = space.mmap({ length: PAGE, cache: file, write: false, populate: true })
    space.mprotect(mapped, PAGE, { read: true, write: true })
    space.write(mapped, Uint8Array.of(9))
    expect(file.dirtyPages).toBe(1)
  })

  it('the parts of a mapping that was split still show their own pages', () => {
    const space = new PagedSpace({ frames: 8 })
    const address = space.mmap({ length: 3 * PAGE, kind: 'shared' })
    for (let i = 0; i < 3; i++) space.write(address + i * PAGE, Uint8Array.of(i + 1))
    space.mprotect(address + PAGE, PAGE, { read: true, write: false })
    space.dontNeed(address, 3 * PAGE)
    expect([0, 1, 2].map((i) => byte(space, address + i * PAGE))).toEqual([1, 2, 3])
    space.munmap(address, PAGE)
    expect([1, 2].map((i) => byte(space, address + i * PAGE))).toEqual([2, 3])
  })

  it('mprotect tells each mapping once, after the mapping and before the entries changed', () => {
    const { space, log, trace } = traced()
    const address = space.mmap({ length: 4 * PAGE, populate: true })
    trace(address, address + PAGE)
    space.mprotect(address + PAGE, 2 * PAGE, { read: true, write: false })
    expect(log.splice(0)).toEqual(['start protection-vma 1..3: frame 1', 'end protection-vma 1..3: frame 1'])
    expect(space.resolve(address + PAGE, 1, ACCESS_WRITE)).toBe(EFAULT)
    expect(space.resolve(address + PAGE, 1, ACCESS_READ)).toBe(PAGE)
    expect(space.vmas).toHaveLength(3)
    space.mprotect(address, 4 * PAGE, { read: false, write: false })
    expect(log.splice(0)).toHaveLength(6)
    expect(space.resolve(address, 1, ACCESS_READ)).toBe(EFAULT)
    expect(space.getUserPagesFast(address, 1, false)).toMatchObject({ failure: 'hinted' })
    space.mprotect(address, 4 * PAGE, { read: true, write: true })
    expect(space.resolve(address + PAGE, 1, ACCESS_WRITE)).toBe(PAGE)
  })
})
