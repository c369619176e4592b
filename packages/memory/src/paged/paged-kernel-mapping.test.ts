import { describe, expect, it } from 'vitest'
import { ACCESS_WRITE } from '../address-map.ts'
import type { KernelMapping, MapRefusal } from '../user-space.ts'
import { PageCache } from './page-cache.ts'
import { PagedSpace } from './paged-space.ts'

const PAGE = 4096

function mapped(result: KernelMapping | MapRefusal): KernelMapping {
  if (typeof result === 'string') throw new Error(`refused: ${result}`)
  return result
}

describe('mapKernel of PagedSpace', () => {
  it('M22: a range that straddles a page maps every page it touches', () => {
    const space = new PagedSpace({ frames: 8, allocator: 'scattered' })
    const address = space.mmap({ length: 2 * PAGE, populate: true })
    const request = { address: address + 0xff0, length: 32, write: true, mapping: 'vmap' } as const
    const mapping = mapped(space.mapKernel(request))
    expect(mapping.base).toBe(-1)
    for (const offset of [0, 15, 16, 31])
      expect(mapping.offsetOf(offset)).toBe(space.resolve(request.address + offset, 1, ACCESS_WRITE))
    space.dontNeed(address + PAGE, PAGE)
    expect(space.mapKernel(request)).toBe('page-absent')
  })

  it('gives the base of frames that are neighbours', () => {
    const space = new PagedSpace({ frames: 8 })
    const address = space.mmap({ length: 2 * PAGE, populate: true })
    const mapping = mapped(space.mapKernel({ address: address + 8, length: PAGE, write: true, mapping: 'linear' }))
    expect(mapping.base).toBe(space.resolve(address + 8, PAGE, ACCESS_WRITE))
    expect(mapping.view).toBe(space.view)
  })

  it('M17: an absent page is refused, and mapped once a copy has faulted it in', () => {
    const space = new PagedSpace({ frames: 8 })
    const address = space.mmap({ length: PAGE })
    const request = { address, length: 64, write: false, mapping: 'vmap' } as const
    expect(space.mapKernel(request)).toBe('page-absent')
    space.read(address, 1)
    expect(mapped(space.mapKernel(request)).base).toBe(0)
  })

  it('refuses files as V4 did, but neither shared memory nor hugetlb', () => {
    const space = new PagedSpace({ frames: 1024 })
    const file = new PageCache(space.physical, 'file', PAGE)
    for (const isPrivate of [false, true]) {
      const address = space.mmap({ length: PAGE, cache: file, private: isPrivate, populate: true })
      expect(space.mapKernel({ address, length: 8, write: true, mapping: 'vmap' })).toBe('file-backed')
    }
    for (const kind of ['shared', 'hugetlb'] as const) {
      const length = kind === 'hugetlb' ? 512 * PAGE : PAGE
      const address = space.mmap({ length, kind, populate: true })
      expect(mapped(space.mapKernel({ address, length, write: true, mapping: 'linear' })).base).toBeGreaterThanOrEqual(
        0,
      )
    }
  })

  it('linear refuses scattered frames and highmem; vmap takes both', () => {
    const scattered = new PagedSpace({ frames: 8, allocator: 'scattered' })
    const high = new PagedSpace({ frames: 8, highmemFrames: 4 })
    for (const [space, refusal] of [
      [scattered, 'not-contiguous'],
      [high, 'highmem'],
    ] as const) {
      const address = space.mmap({ length: 2 * PAGE, populate: true })
      const request = { address, length: 2 * PAGE, write: true } as const
      expect(space.mapKernel({ ...request, mapping: 'linear' })).toBe(refusal)
      mapped(space.mapKernel({ ...request, mapping: 'vmap' }))
    }
    // Highmem is used up: the rest is in the linear map.
    high.mmap({ length: 2 * PAGE, populate: true })
    const low = high.mmap({ length: PAGE, populate: true })
    mapped(high.mapKernel({ address: low, length: PAGE, write: true, mapping: 'linear' }))
  })

  it('refuses what is not mapped, at the limit, and what may only be read, for a writer', () => {
    const space = new PagedSpace({ frames: 8 })
    const address = space.mmap({ length: PAGE, write: false, populate: true })
    const at = (from: number, length: number, write: boolean): unknown =>
      space.mapKernel({ address: from, length, write, mapping: 'vmap' })
    expect(at(address + PAGE, 8, false)).toBe('unmapped')
    expect(at(address, 2 * PAGE, false)).toBe('unmapped')
    expect(at(space.limit - 8, 16, false)).toBe('unmapped')
    expect(at(2 ** 60, 8, false)).toBe('unmapped')
    expect(at(address, 0, false)).toBe('unmapped')
    expect(at(address, 8, true)).toBe('page-absent')
    mapped(at(address, 8, false) as KernelMapping)
  })

  it('a mapping that its owner keeps after the pages went is stale, and each use of it is recorded', () => {
    const changes: [string, (space: PagedSpace, address: number) => void][] = [
      ['munmap', (space, address) => space.munmap(address, PAGE)],
      ['migrate', (space, address) => space.migrate(address, PAGE)],
      ['reclaim', (space, address) => space.reclaim(address, PAGE)],
      ['dontNeed', (space, address) => space.dontNeed(address, PAGE)],
      ['mprotect', (space, address) => space.mprotect(address, PAGE, { read: true, write: false })],
      ['mremap', (space, address) => space.mremap(address, PAGE, PAGE, address + 64 * PAGE)],
      ['fork', (space) => space.fork()],
      ['hintNuma', (space, address) => space.hintNuma(address, PAGE)],
      ['oomReap', (space) => space.oomReap()],
      ['merge', (space, address) => space.merge(space.mmap({ length: PAGE, populate: true }), space, address)],
    ]
    for (const [name, change] of changes) {
      const space = new PagedSpace({ frames: 8 })
      const address = space.mmap({ length: PAGE, populate: true })
      const mapping = mapped(space.mapKernel({ address, length: PAGE, write: true, mapping: 'vmap' }))
      expect(mapping.base).toBe(0)
      expect(space.staleMappings()).toEqual([])
      change(space, address)
      expect(space.staleMappings(), name).toHaveLength(1)
      expect(space.violations.count).toBe(0)
      mapping.markDirty()
      mapping.offsetOf(0)
      expect(
        space.violations.records.map(({ kind }) => kind),
        name,
      ).toEqual(['stale-mapping', 'stale-mapping'])
      mapping.release()
      mapping.release()
      expect(space.kernelMappings.size).toBe(0)
    }
  })

  it('an owner that releases when it is told is never stale', () => {
    const space = new PagedSpace({ frames: 8 })
    const address = space.mmap({ length: PAGE, populate: true })
    let mapping: KernelMapping | null = null
    space.notifiers.register({
      name: 'careful',
      invalidateRangeStart() {
        mapping?.markDirty()
        mapping?.release()
        mapping = null
        return 0
      },
      invalidateRangeEnd() {},
    })
    mapping = mapped(space.mapKernel({ address, length: PAGE, write: true, mapping: 'vmap' }))
    space.migrate(address, PAGE)
    expect(space.staleMappings()).toEqual([])
    expect(space.violations.count).toBe(0)
  })
})
