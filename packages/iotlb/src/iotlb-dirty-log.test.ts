import { EAGAIN, EFAULT } from '@vring/layout'
import { ACCESS_READ, ACCESS_WRITE } from '@vring/memory'
import { describe, expect, it } from 'vitest'
import { DeviceIotlb } from './device-iotlb.ts'
import { IotlbDirtyLog } from './iotlb-dirty-log.ts'

const PAGE = 4096
const USER = 0x7f00_0000_0000

function setup() {
  const iotlb = new DeviceIotlb()
  iotlb.update(0, PAGE, USER, ACCESS_READ | ACCESS_WRITE)
  iotlb.update(PAGE, PAGE, USER + 8 * PAGE, ACCESS_WRITE)
  iotlb.update(2 * PAGE, PAGE, USER, ACCESS_READ)
  const noted: [number, number][] = []
  const log = new IotlbDirtyLog(iotlb, {
    write(address, length) {
      noted.push([address - USER, length])
      return address >= USER + 9 * PAGE ? EFAULT : 0
    },
  })
  return { iotlb, noted, log }
}

describe('IotlbDirtyLog', () => {
  it('translates a write entry by entry and notes each piece by its user address', () => {
    const { noted, log } = setup()
    expect(log.write(PAGE - 8, 24)).toBe(0)
    expect(noted).toEqual([
      [PAGE - 8, 8],
      [8 * PAGE, 16],
    ])
    expect(log.write(0, 0)).toBe(0)
  })

  it('a missing translation is asked for; one that may not be written, or that the log refuses, is -EFAULT', () => {
    const { iotlb, log } = setup()
    expect(log.write(16 * PAGE, 4)).toBe(EAGAIN)
    expect(iotlb.takeMisses()).toEqual([{ iova: 16 * PAGE, perm: ACCESS_WRITE }])
    expect(log.write(2 * PAGE, 4)).toBe(EFAULT)
    expect(log.write(2 ** 53, 4)).toBe(EFAULT)
    expect(log.write(Number.NaN, 4)).toBe(EFAULT)
    iotlb.update(4 * PAGE, PAGE, USER + 9 * PAGE, ACCESS_WRITE)
    expect(log.write(4 * PAGE, 4)).toBe(EFAULT)
    expect(iotlb.openMisses).toBe(1)
  })
})
