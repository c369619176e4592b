import { EFAULT } from '@vring/layout'
import { describe, expect, it } from 'vitest'
import { codeOf } from '../../../test/code-of.ts'
import { byte, PAGE } from '../../../test/traced-space.ts'
import { ACCESS_READ, ACCESS_WRITE } from '../../address-map.ts'
import { HUGE_BYTES } from '../../page-size.ts'
import { auditFrames } from '../audit.ts'
import { PageCache } from '../page-cache.ts'
import { PagedSpace } from '../paged-space.ts'
import { writeback } from './writeback.ts'

describe('operations on a PagedSpace', () => {
  it('a private mapping of a file copies on the first write and leaves the file alone', () => {
    const space = new PagedSpace({ frames: 8 })
    const file = new PageCache(space.physical, 'file', PAGE, Uint8Array.of(1))
    const address = space.mmap({ length: PAGE, cache: file, private: true })
    expect(byte(space, address)).toBe(1)
    space.write(address, Uint8Array.of(2))
    writeback(file)
    expect([file.disk[0], byte(space, address), file.dirtyPages]).toEqual([1, 2, 0])
    expect(auditFrames(space.physical)).toEqual([])
  })

  it('shared memory is one for all who map it, and outlives none of them', () => {
    const space = new PagedSpace({ frames: 8 })
    const cache = new PageCache(space.physical, 'shmem', 2 * PAGE)
    const other = new PagedSpace({ physical: space.physical })
    const here = space.mmap({ length: 2 * PAGE, cache })
    const there = other.mmap({ length: PAGE, cache, offset: PAGE })
    cache.close()
    space.write(here + PAGE, Uint8Array.of(7))
    expect(byte(other, there)).toBe(7)
    expect(space.reclaim(here, 2 * PAGE)).toBe(1)
    expect(space.physical.swap.size).toBe(1)
    expect(byte(other, there)).toBe(7)
    space.close()
    expect(byte(other, there)).toBe(7)
    other.close()
    expect([space.physical.freeFrames, space.physical.swap.size]).toEqual([8, 0])
  })

  it('an access past the end of a file is -EFAULT (SIGBUS)', () => {
    const space = new PagedSpace({ frames: 8 })
    const file = new PageCache(space.physical, 'file', PAGE)
    const address = space.mmap({ length: 2 * PAGE, cache: file })
    expect(space.resolve(address, 1, ACCESS_READ)).toBeGreaterThanOrEqual(0)
    expect(space.resolve(address + PAGE, 1, ACCESS_READ)).toBe(EFAULT)
  })

  it('hugetlb memory comes in 2 MiB pages, is contiguous, shared by fork, and stays where it is', () => {
    const space = new PagedSpace({ frames: 2048, allocator: 'scattered' })
    const address = space.mmap({ length: 2 * HUGE_BYTES, kind: 'hugetlb', populate: true })
    expect(address % HUGE_BYTES).toBe(0)
    const at = space.resolve(address, HUGE_BYTES, ACCESS_WRITE)
    expect(at % HUGE_BYTES).toBe(0)
    const child = space.fork()
    child.write(address + 5, Uint8Array.of(7))
    expect(byte(space, address + 5)).toBe(7)
    expect([
      space.migrate(address, HUGE_BYTES),
      space.reclaim(address, HUGE_BYTES),
      space.hintNuma(address, HUGE_BYTES),
    ]).toEqual([0, 0, 0])
    expect(codeOf(() => space.munmap(address, PAGE))).toBe('ERR_MISALIGNED')
    space.munmap(address, HUGE_BYTES)
    expect(auditFrames(space.physical)).toEqual([])
    child.close()
    space.close()
    expect(space.physical.freeFrames).toBe(2048)
  })
})
