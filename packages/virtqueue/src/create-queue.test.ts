import { plainCpu } from '@vring/accessor'
import {
  featureSet,
  packedRingAreas,
  type RingAreas,
  splitRingAreas,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_RING_PACKED,
} from '@vring/layout'
import { describe, expect, test } from 'vitest'
import { flatQueue } from '../test/flat-queue.ts'
import {
  createDeviceQueue,
  createDriverQueue,
  PackedDeviceQueue,
  PackedDriverQueue,
  SplitDeviceQueue,
  SplitDriverQueue,
} from './index.ts'

const split = (eventIdx: boolean): RingAreas => splitRingAreas(8, eventIdx, 0x1000, 0x2000, 0x3000)
const packed = (eventIdx: boolean): RingAreas => packedRingAreas(8, eventIdx, 0x1000, 0x2000, 0x3000)
const PACKED = featureSet(VIRTIO_F_RING_PACKED)
const EVENT = featureSet(VIRTIO_F_EVENT_IDX)

/** Both sides, by the same ring and features, and by the classes of either format. */
function queues(ring: RingAreas, features: bigint) {
  const { space, accessor } = flatQueue({ format: ring.format })
  const device = () => ({ accessor: accessor(), cpu: plainCpu, ring, features, buffers: space })
  const driver = { ring, memory: space, features }
  return {
    device: () => createDeviceQueue(device()),
    driver: () => createDriverQueue(driver),
    split: [() => new SplitDeviceQueue(device()), () => new SplitDriverQueue(driver)],
    packed: [() => new PackedDeviceQueue(device()), () => new PackedDriverQueue(driver)],
  }
}

describe('a ring and the features that were negotiated', () => {
  test('make a queue of its format', () => {
    expect(queues(split(true), EVENT).device()).toBeInstanceOf(SplitDeviceQueue)
    expect(queues(packed(true), PACKED | EVENT).device()).toBeInstanceOf(PackedDeviceQueue)
  })

  test.each([
    [
      'a packed ring',
      packed(false),
      0n,
      'ring.format is packed; accepted: split, or features with VIRTIO_F_RING_PACKED',
    ],
    [
      'a split ring',
      split(false),
      PACKED,
      'ring.format is split; accepted: packed, as features have VIRTIO_F_RING_PACKED',
    ],
    ['event words', split(true), 0n, 'ring.eventIdx is true; accepted: false, or features with VIRTIO_F_EVENT_IDX'],
    [
      'no event words',
      packed(false),
      PACKED | EVENT,
      'ring.eventIdx is false; accepted: true, as features have VIRTIO_F_EVENT_IDX',
    ],
    [
      'a number',
      split(false),
      0 as unknown as bigint,
      'features is 0; accepted: a bigint of feature bits, as of featureSet()',
    ],
  ])('that say otherwise are refused by both sides, whatever makes them: %s', (_, ring, features, message) => {
    const made = queues(ring, features)
    for (const create of [made.device, made.driver, ...made[ring.format]]) {
      expect(create).toThrow(message)
      expect(create).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }))
    }
  })

  test('of the other format are refused by a class', () => {
    for (const create of queues(packed(true), PACKED | EVENT).split)
      expect(create).toThrow('ring.format is packed; accepted: split, as the queue is')
    for (const create of queues(split(true), EVENT).packed)
      expect(create).toThrow('ring.format is split; accepted: packed, as the queue is')
  })
})
