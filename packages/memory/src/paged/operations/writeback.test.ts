import { describe, expect, it } from 'vitest'
import { PAGE, traced } from '../../../test/traced-space.ts'
import { PageCache } from '../page-cache.ts'
import { PagedSpace } from '../paged-space.ts'
import { writeback } from './writeback.ts'

describe('operations on a PagedSpace', () => {
  it('a file is read in, written back under write protection, and a later write is noticed again (M8)', () => {
    const { space, log, trace } = traced()
    const file = new PageCache(space.physical, 'file', 2 * PAGE, Uint8Array.of(1, 2, 3))
    const address = space.mmap({ length: 2 * PAGE, cache: file })
    expect(space.read(address, 3)).toEqual(Uint8Array.of(1, 2, 3))
    expect(file.dirtyPages).toBe(0)
    space.write(address, Uint8Array.of(9))
    expect(file.dirtyPages).toBe(1)
    trace(address)
    expect(writeback(file)).toBe(1)
    expect(log).toEqual(['start protection-page 0..1: frame 0', 'end protection-page 0..1: frame 0'])
    expect([file.disk[0], file.dirtyPages]).toEqual([9, 0])
    space.write(address, Uint8Array.of(10))
    expect(file.dirtyPages).toBe(1)
    expect(space.reclaim(address, PAGE)).toBe(1)
    expect(file.disk[0]).toBe(10)
    expect(file.lostWrites()).toEqual([])
    expect(space.read(address, 3)).toEqual(Uint8Array.of(10, 2, 3))
  })

  it('M8: a direct write to a page of a file after its writeback is lost, and lostWrites finds it', () => {
    const space = new PagedSpace({ frames: 8 })
    const file = new PageCache(space.physical, 'file', PAGE)
    const address = space.mmap({ length: PAGE, cache: file })
    space.write(address, Uint8Array.of(1))
    const request = { address, length: PAGE, write: true, mapping: 'linear' } as const
    expect(space.mapKernel(request)).toBe('file-backed')
    const mapping = space.mapKernel({ ...request, files: 'map' })
    if (typeof mapping === 'string') throw new Error(mapping)
    const { base } = mapping
    writeback(file)
    expect(space.staleMappings()).toHaveLength(1)
    space.view.u8[base] = 2
    expect(file.lostWrites()).toEqual([0])
    mapping.release()
  })
})
