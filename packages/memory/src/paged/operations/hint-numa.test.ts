import { describe, expect, it } from 'vitest'
import { frameAt, PAGE, traced } from '../../../test/traced-space.ts'
import { ACCESS_READ } from '../../address-map.ts'

describe('operations on a PagedSpace', () => {
  it('NUMA hints make pages fault once, and hide them from get_user_pages_fast until then', () => {
    const { space, log, trace } = traced()
    const address = space.mmap({ length: 2 * PAGE, populate: true })
    trace(address)
    expect(space.hintNuma(address, 2 * PAGE)).toBe(2)
    expect(log.splice(0)).toEqual(['start protection-vma 0..2: frame 0', 'end protection-vma 0..2: hinted'])
    expect(space.mapKernel({ address, length: PAGE, write: false, mapping: 'vmap' })).toBe('page-absent')
    expect(space.resolve(address, 1, ACCESS_READ)).toBe(0)
    expect(log).toEqual([])
    expect(frameAt(space, address)).toBe(0)
  })
})
