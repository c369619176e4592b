import { EAGAIN } from '@vring/layout'
import { describe, expect, it } from 'vitest'
import { frameAt, PAGE } from '../../../test/traced-space.ts'
import { PagedSpace } from '../paged-space.ts'

describe('operations on a PagedSpace', () => {
  it('M10: the OOM reaper does not wait: it leaves alone what a listener refuses, and takes the rest', () => {
    const space = new PagedSpace({ frames: 16 })
    const busy = space.mmap({ length: PAGE, populate: true })
    const idle = space.mmap({ length: PAGE, populate: true })
    const shared = space.mmap({ length: PAGE, kind: 'shared', populate: true })
    const seen: boolean[] = []
    space.notifiers.register({
      name: 'busy',
      invalidateRangeStart(range) {
        seen.push(range.blockable)
        return range.start === busy ? EAGAIN : 0
      },
      invalidateRangeEnd() {},
    })
    expect(space.oomReap()).toBe(false)
    expect(seen).toEqual([false, false])
    expect([frameAt(space, busy), frameAt(space, idle), frameAt(space, shared)]).toEqual([0, -1, 2])
  })
})
