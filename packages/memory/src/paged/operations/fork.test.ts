import { describe, expect, it } from 'vitest'
import { byte, frameAt, PAGE, traced } from '../../../test/traced-space.ts'
import { auditFrames } from '../audit.ts'
import { PagedSpace } from '../paged-space.ts'

describe('operations on a PagedSpace', () => {
  it('fork write-protects inside an invalidation; the first writer copies inside another (M24)', () => {
    const { space, log, trace } = traced()
    const address = space.mmap({ length: 2 * PAGE })
    space.write(address, Uint8Array.of(7))
    trace(address)
    const child = space.fork()
    expect(log.splice(0)).toEqual(['start protection-page 0..2: frame 0', 'end protection-page 0..2: frame 0'])
    expect(byte(child, address)).toBe(7)
    expect(frameAt(child, address)).toBe(0)
    expect(space.getUserPagesFast(address, 1, true)).toMatchObject({ failure: 'read-only' })
    space.write(address, Uint8Array.of(8))
    expect(log.splice(0)).toEqual(['start clear 0..1: frame 0', 'end clear 0..1: frame 1'])
    expect(byte(child, address)).toBe(7)
    // The child is alone with the old frame now: it writes in place, and no listener needs to know.
    child.write(address, Uint8Array.of(9))
    expect(frameAt(child, address)).toBe(0)
    expect(byte(space, address)).toBe(8)
    expect(log).toEqual([])
    child.close()
    expect(auditFrames(space.physical)).toEqual([])
  })

  it('fork does not tell about mappings that were never touched or are shared', () => {
    const { space, log, trace } = traced()
    const untouched = space.mmap({ length: PAGE })
    const shared = space.mmap({ length: PAGE, kind: 'shared', populate: true })
    trace(untouched)
    const child = space.fork()
    expect(log).toEqual([])
    child.write(shared, Uint8Array.of(5))
    expect(byte(space, shared)).toBe(5)
  })

  it('a fork whose listener fails has no child, and the parent goes on', () => {
    const space = new PagedSpace({ frames: 8 })
    const address = space.mmap({ length: PAGE, populate: true })
    const unregister = space.notifiers.register({
      name: 'thrower',
      invalidateRangeStart: () => {
        throw new TypeError('boom')
      },
      invalidateRangeEnd() {},
    })
    expect(() => space.fork()).toThrow(/thrower/)
    unregister()
    expect([...space.physical.spaces]).toHaveLength(1)
    space.write(address, Uint8Array.of(1))
    expect(space.physical.freeFrames).toBe(7)
  })
})
