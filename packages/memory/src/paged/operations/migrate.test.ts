import { EFAULT } from '@vring/layout'
import { describe, expect, it } from 'vitest'
import { byte, frameAt, PAGE, traced } from '../../../test/traced-space.ts'
import { ACCESS_READ } from '../../address-map.ts'
import { PagedSpace } from '../paged-space.ts'

describe('operations on a PagedSpace', () => {
  it('migration takes the page away inside an invalidation and gives the new frame after it', () => {
    const { space, log, trace } = traced()
    const address = space.mmap({ length: PAGE })
    space.write(address, Uint8Array.of(7))
    trace(address)
    expect(space.migrate(address, PAGE)).toBe(1)
    expect(log).toEqual(['start clear 0..1: frame 0', 'end clear 0..1: absent'])
    expect(frameAt(space, address)).toBe(1)
    expect(byte(space, address)).toBe(7)
    expect(space.physical.isFree(0)).toBe(true)
  })

  it('M13: a listener that needs the page which its own invalidation holds back is found', () => {
    const space = new PagedSpace({ frames: 8 })
    const address = space.mmap({ length: PAGE, populate: true })
    let seen = 0
    space.notifiers.register({
      name: 'waits for a fault',
      invalidateRangeStart: () => 0,
      invalidateRangeEnd() {
        seen = space.resolve(address, 1, ACCESS_READ)
      },
    })
    space.migrate(address, PAGE)
    expect(seen).toBe(EFAULT)
    expect(space.violations.records.map(({ kind }) => kind)).toEqual(['fault-in-notifier'])
    expect(space.resolve(address, 1, ACCESS_READ)).toBeGreaterThanOrEqual(0)
  })

  it('a merged page stays merged when it migrates: its last user copies it', () => {
    const space = new PagedSpace({ frames: 16 })
    const address = space.mmap({ length: 2 * PAGE, populate: true })
    space.merge(address, space, address + PAGE)
    space.migrate(address, PAGE)
    space.munmap(address + PAGE, PAGE)
    const before = frameAt(space, address)
    space.write(address, Uint8Array.of(1))
    expect(frameAt(space, address)).not.toBe(before)
  })
})
