import { featureSet, VIRTIO_F_EVENT_IDX, VIRTIO_F_NOTIFY_ON_EMPTY } from '@vring/layout'
import { describe, expect, it } from 'vitest'
import { type FlatQueue, type FlatQueueOptions, flatQueue as makeQueue, WAYS } from '../../test/flat-queue.ts'

describe.each(WAYS)('a split ring by %s', (way) => {
  const flatQueue = (options: FlatQueueOptions = {}): FlatQueue => makeQueue({ way, ...options })

  describe('notifications', () => {
    it('virtio 1.3 2.7.7.1 without EVENT_IDX the flag in avail decides', () => {
      const q = flatQueue()
      expect(q.device.needsNotification()).toBe(true)
      q.driver.setNotification(false)
      expect(q.device.needsNotification()).toBe(false)
    })

    it('virtio 1.3 2.7.7.2 with EVENT_IDX only the step over used_event notifies', () => {
      const q = flatQueue({ queueSize: 8, features: featureSet(VIRTIO_F_EVENT_IDX), start: 0xfffc })
      const use = (): boolean => {
        q.driver.addOne(q.heap, 1, false)
        q.driver.publish()
        q.device.popBatch(q.batch, 1)
        q.device.useBatch(q.batch, 1)
        return q.device.needsNotification()
      }
      q.raw.driver.store16(4 + 2 * 8, 0xffff)
      // The first one after a start always notifies (vhost: signalled_used_valid).
      expect([use(), use(), use(), use(), use(), use()]).toEqual([true, false, false, true, false, false])
    })

    it('the driver is notified when 65536 chains were used since it was last asked: its event may lie anywhere', () => {
      const q = flatQueue({ queueSize: 64, features: featureSet(VIRTIO_F_EVENT_IDX) })
      const use = (): void => {
        for (let i = 0; i < 64; i++) q.driver.addOne(q.heap, 60, false)
        q.driver.publish()
        q.device.popBatch(q.batch, 64)
        q.device.useBatch(q.batch, 64)
        q.driver.reclaim()
      }
      use()
      expect(q.device.needsNotification()).toBe(true)
      for (let lap = 0; lap < 1024; lap++) use()
      q.raw.driver.store16(4 + 2 * 64, 5)
      expect(q.device.needsNotification()).toBe(true)
    })

    it('NOTIFY_ON_EMPTY notifies when the device ran out, whatever the flag says', () => {
      const q = flatQueue({ queueSize: 8, features: featureSet(VIRTIO_F_NOTIFY_ON_EMPTY) })
      q.driver.setNotification(false)
      expect(q.device.needsNotification()).toBe(true)
      q.driver.addOne(q.heap, 1, false)
      q.driver.addOne(q.heap, 1, false)
      q.driver.publish()
      q.device.popBatch(q.batch, 1)
      expect(q.device.needsNotification()).toBe(false)
    })

    it.each([
      ['flags', 0n],
      ['avail_event', featureSet(VIRTIO_F_EVENT_IDX)],
    ])('kicks are suppressed and asked for again through %s, and nothing is lost between', (_name, features) => {
      const q = flatQueue({ queueSize: 8, features: features })
      q.device.disableNotification()
      q.driver.addOne(q.heap, 1, false)
      q.driver.publish()
      q.driver.needsKick()
      expect(q.device.popBatch(q.batch, 64)).toBe(1)
      q.driver.addOne(q.heap, 1, false)
      q.driver.publish()
      expect(q.driver.needsKick()).toBe(false)
      expect(q.device.enableNotification()).toBe(1)
      expect(q.device.popBatch(q.batch, 64)).toBe(1)
      expect(q.device.enableNotification()).toBe(0)
      q.driver.addOne(q.heap, 1, false)
      q.driver.publish()
      expect(q.driver.needsKick()).toBe(true)
    })
  })
})
