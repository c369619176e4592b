import { featureSet, RING_EVENT_FLAGS_DESC, RING_EVENT_FLAGS_DISABLE, VIRTIO_F_EVENT_IDX } from '@vring/layout'
import { describe, expect, it } from 'vitest'
import { type FlatQueue, type FlatQueueOptions, flatQueue, WAYS } from '../../test/flat-queue.ts'

const EVENT_IDX = featureSet(VIRTIO_F_EVENT_IDX)

describe.each(WAYS)('a packed ring by %s', (way) => {
  const packed = (options: FlatQueueOptions = {}): FlatQueue => flatQueue({ way, format: 'packed', ...options })

  it('virtio 1.3 2.8.10 the driver is notified by its flags, and with a descriptor event only by the step over it', () => {
    const q = packed({ features: EVENT_IDX })
    const use = (): boolean => {
      q.driver.addOne(q.heap, 60, false)
      q.driver.publish()
      q.device.popBatch(q.batch, 1)
      q.device.useBatch(q.batch, 1)
      const asked = q.device.needsNotification()
      q.driver.reclaim()
      return asked
    }
    expect(use()).toBe(true)
    q.driver.setNotification(false)
    expect(use()).toBe(false)
    // The event is descriptor 4 of this lap: the fifth use.
    q.raw.driver.store32(0, 4 | (1 << 15) | (RING_EVENT_FLAGS_DESC << 16))
    expect([use(), use(), use(), use()]).toEqual([false, false, true, false])
    // And then descriptor 1 of the next lap.
    q.raw.driver.store32(0, 1 | (RING_EVENT_FLAGS_DESC << 16))
    expect([use(), use(), use(), use()]).toEqual([false, false, false, true])
  })

  it.each([
    ['flags', 0n],
    ['a descriptor event', EVENT_IDX],
  ])(
    'virtio 1.3 2.8.14 kicks are suppressed and asked for again by %s, and nothing is lost between',
    (_name, features) => {
      const q = packed({ features })
      q.device.disableNotification()
      expect(q.raw.device.load16(2)).toBe(RING_EVENT_FLAGS_DISABLE)
      q.driver.addOne(q.heap, 1, false)
      q.driver.publish()
      expect(q.driver.needsKick()).toBe(false)
      expect(q.device.popBatch(q.batch, 64)).toBe(1)
      q.driver.addOne(q.heap, 1, false)
      q.driver.publish()
      expect(q.device.enableNotification()).toBe(1)
      expect(q.device.popBatch(q.batch, 64)).toBe(1)
      expect(q.device.enableNotification()).toBe(0)
      q.driver.addOne(q.heap, 1, false)
      q.driver.publish()
      expect(q.driver.needsKick()).toBe(true)
    },
  )

  it('what was seen and given back does not count as more', () => {
    const q = packed()
    for (let i = 0; i < 3; i++) q.driver.addOne(q.heap, 1, false)
    q.driver.publish()
    expect(q.device.popBatch(q.batch, 64)).toBe(3)
    q.device.rewind(q.batch, 3)
    expect(q.device.enableNotification()).toBe(0)
    expect(q.device.popBatch(q.batch, 64)).toBe(3)
  })

  it('virtio 1.3 2.8.10 an event of the lap before is met by a batch that goes over the end of the ring', () => {
    const q = packed({ features: EVENT_IDX })
    for (const count of [6, 4]) {
      q.raw.driver.store32(0, 7 | (1 << 15) | (RING_EVENT_FLAGS_DESC << 16))
      for (let i = 0; i < count; i++) q.driver.addOne(q.heap, 60, false)
      q.driver.publish()
      q.device.popBatch(q.batch, 64)
      q.device.useBatch(q.batch, count)
      q.driver.reclaim()
      expect(q.device.needsNotification()).toBe(count === 4)
    }
  })

  it('virtio 1.3 2.8.10 without EVENT_IDX a descriptor event is neither asked for nor believed', () => {
    const q = packed()
    q.raw.driver.store32(0, 5 | (1 << 15) | (RING_EVENT_FLAGS_DESC << 16))
    q.driver.addOne(q.heap, 60, false)
    q.driver.publish()
    q.device.popBatch(q.batch, 64)
    q.device.useBatch(q.batch, 1)
    expect(q.device.needsNotification()).toBe(true)
    q.device.enableNotification()
    expect(q.raw.device.load16(2)).toBe(0)
  })
})
