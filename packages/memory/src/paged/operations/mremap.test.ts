import { EFAULT } from '@vring/layout'
import { describe, expect, it } from 'vitest'
import { codeOf } from '../../../test/code-of.ts'
import { byte, frameAt, PAGE, traced } from '../../../test/traced-space.ts'
import { ACCESS_READ, ACCESS_WRITE } from '../../address-map.ts'
import { auditFrames } from '../audit.ts'
import { PagedSpace } from '../paged-space.ts'

describe('operations on a PagedSpace', () => {
  it('mremap moves frames to other addresses inside an invalidation of the old ones', () => {
    const { space, log, trace } = traced()
    const address = space.mmap({ length: 2 * PAGE })
    space.write(address, Uint8Array.of(7))
    trace(address)
    const to = address + 1024 * PAGE
    expect(space.mremap(address, 2 * PAGE, 3 * PAGE, to)).toBe(to)
    expect(log).toEqual([
      'start unmap 0..2: frame 0',
      'end unmap 0..2: absent',
      // The unmapping of what was left.
      'start unmap 0..2: absent',
      'end unmap 0..2: absent',
    ])
    expect(frameAt(space, to)).toBe(0)
    expect(space.resolve(address, 1, ACCESS_READ)).toBe(EFAULT)
    expect(space.resolve(to + 2 * PAGE, 1, ACCESS_WRITE)).toBeGreaterThanOrEqual(0)
    expect(auditFrames(space.physical)).toEqual([])
  })

  it('mremap grows in place where there is room, moves where there is none, and shrinks', () => {
    const space = new PagedSpace({ frames: 16 })
    const address = space.mmap({ length: 2 * PAGE })
    expect(space.mremap(address, 2 * PAGE, 4 * PAGE)).toBe(address)
    space.mmap({ address: address + 4 * PAGE, length: PAGE })
    space.write(address, Uint8Array.of(7))
    const moved = space.mremap(address, 4 * PAGE, 5 * PAGE)
    expect(moved).toBe(address + 5 * PAGE)
    expect(byte(space, moved)).toBe(7)
    expect(space.mremap(moved, 5 * PAGE, PAGE)).toBe(moved)
    expect(space.resolve(moved + PAGE, 1, ACCESS_READ)).toBe(EFAULT)
    expect(codeOf(() => space.mremap(moved, PAGE, PAGE, moved))).toBe('ERR_OVERLAP')
    expect(codeOf(() => space.mremap(moved, PAGE, 0))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => space.mremap(moved + PAGE, PAGE, PAGE))).toBe('ERR_OUT_OF_RANGE')
  })
})
