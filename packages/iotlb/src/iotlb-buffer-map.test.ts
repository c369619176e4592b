import { EAGAIN, EFAULT, EXDEV } from '@vring/layout'
import { ACCESS_READ, ACCESS_WRITE, PagedSpace } from '@vring/memory'
import { describe, expect, it } from 'vitest'
import { DeviceIotlb } from './device-iotlb.ts'
import { IotlbBufferMap } from './iotlb-buffer-map.ts'

const RW = ACCESS_READ | ACCESS_WRITE
const PAGE = 4096

function setup() {
  const space = new PagedSpace({ frames: 8 })
  const uaddr = space.mmap({ length: 4 * PAGE, populate: true })
  const iotlb = new DeviceIotlb()
  return { space, uaddr, iotlb, map: new IotlbBufferMap(iotlb, space) }
}

describe('IotlbBufferMap', () => {
  it('translates to the bytes of the user address', () => {
    const { space, uaddr, iotlb, map } = setup()
    iotlb.update(0x10000, 2 * PAGE, uaddr, RW)
    for (const iova of [0x10000, 0x10004, 0x10ffc, 0x11000, 0x11ffc]) {
      const at = map.resolve(iova, 4, ACCESS_WRITE)
      expect(at).toBe(space.resolve(uaddr + iova - 0x10000, 4, ACCESS_WRITE))
      expect(map.view).toBe(space.view)
    }
  })

  it('a missing translation is -EAGAIN, asked for once, and there after the update', () => {
    const { uaddr, iotlb, map } = setup()
    expect(map.resolve(0x10000, 4, ACCESS_READ)).toBe(EAGAIN)
    expect(map.resolveSpan(0x10000, 4, ACCESS_READ)).toBe(EAGAIN)
    expect(iotlb.takeMisses()).toEqual([{ iova: 0x10000, perm: ACCESS_READ }])
    iotlb.update(0x10000, PAGE, uaddr, RW)
    expect(map.resolve(0x10000, 4, ACCESS_READ)).toBeGreaterThanOrEqual(0)
  })

  it('an entry without the permission is -EFAULT and no question, also right after a hit', () => {
    const { uaddr, iotlb, map } = setup()
    iotlb.update(0x10000, PAGE, uaddr, ACCESS_READ)
    expect(map.resolve(0x10000, 4, ACCESS_READ)).toBeGreaterThanOrEqual(0)
    expect(map.resolve(0x10000, 4, ACCESS_WRITE)).toBe(EFAULT)
    expect(map.resolveSpan(0x10000, 4, ACCESS_WRITE)).toBe(EFAULT)
    expect(iotlb.takeMisses()).toEqual([])
  })

  it('an invalidation takes effect at once, also on the entry of the last hit', () => {
    const { uaddr, iotlb, map } = setup()
    iotlb.update(0x10000, PAGE, uaddr, RW)
    expect(map.resolve(0x10000, 4, ACCESS_READ)).toBeGreaterThanOrEqual(0)
    iotlb.invalidate(0x10000, 1)
    expect(map.resolve(0x10000, 4, ACCESS_READ)).toBe(EAGAIN)
  })

  it('a range over two entries is -EXDEV and goes by spans; over a hole it asks for the hole', () => {
    const { space, uaddr, iotlb, map } = setup()
    iotlb.update(0x10000, PAGE, uaddr, RW)
    iotlb.update(0x11000, PAGE, uaddr + 3 * PAGE, RW)
    expect(map.resolve(0x10800, PAGE, ACCESS_READ)).toBe(EXDEV)
    expect(map.resolveSpan(0x10800, PAGE, ACCESS_READ)).toBe(space.resolve(uaddr + 0x800, 1, ACCESS_READ))
    expect(map.span).toBe(0x800)
    expect(map.resolveSpan(0x11000, 0x800, ACCESS_READ)).toBe(space.resolve(uaddr + 3 * PAGE, 1, ACCESS_READ))
    expect(map.span).toBe(0x800)
    expect(map.resolve(0x11800, PAGE, ACCESS_READ)).toBe(EAGAIN)
    expect(iotlb.takeMisses()).toEqual([{ iova: 0x12000, perm: ACCESS_READ }])
  })

  it('never wraps: addresses and lengths beyond 2^53 are -EFAULT', () => {
    const { iotlb, map } = setup()
    iotlb.update(0, 2 ** 64, 0, RW)
    expect(map.resolve(2 ** 53, 1, ACCESS_READ)).toBe(EFAULT)
    expect(map.resolve(Number.NaN, 1, ACCESS_READ)).toBe(EFAULT)
    expect(map.resolve(2 ** 53 - 2, 16, ACCESS_READ)).toBe(EFAULT)
    expect(map.resolve(0, Number.NaN, ACCESS_READ)).toBe(EFAULT)
    expect(map.resolveSpan(0, -1, ACCESS_READ)).toBe(EFAULT)
  })
})
