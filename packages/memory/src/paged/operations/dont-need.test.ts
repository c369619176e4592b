import { describe, expect, it } from 'vitest'
import { codeOf } from '../../../test/code-of.ts'
import { byte, PAGE, traced } from '../../../test/traced-space.ts'

describe('operations on a PagedSpace', () => {
  it('MADV_DONTNEED drops pages, one invalidation a mapping; the next access finds zeroes', () => {
    const { space, log, trace } = traced()
    const address = space.mmap({ length: 2 * PAGE })
    space.write(address, Uint8Array.of(7))
    trace(address)
    space.dontNeed(address, PAGE)
    expect(log).toEqual(['start clear 0..1: frame 0', 'end clear 0..1: absent'])
    expect(byte(space, address)).toBe(0)
    expect(codeOf(() => space.dontNeed(address + PAGE, 2 * PAGE))).toBe('ERR_OUT_OF_RANGE')
  })
})
