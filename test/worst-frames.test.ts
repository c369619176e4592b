import { plainCpu } from '@vring/accessor'
import { vmapDirect } from '@vring/accessor-vmap-direct'
import { DeviceIotlb, IotlbBufferMap } from '@vring/iotlb'
import {
  featureSet,
  splitRingAreas,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_VERSION_1,
  VIRTIO_NET_F_MRG_RXBUF,
} from '@vring/layout'
import { MappedSpace, memoryView } from '@vring/memory'
import {
  DropBackend,
  FRAME_BYTES_MAX,
  FrameBatch,
  LoopbackBackend,
  type Round,
  RX_CHAINS_MAX,
  RxRound,
  TxRound,
} from '@vring/vhost-net'
import {
  CHAIN_DESCRIPTORS_MAX,
  ChainBatch,
  createDeviceQueue,
  createDriverQueue,
  encodeIndirectTable,
  PIECES_MAX,
} from '@vring/virtqueue'
import { describe, expect, test } from 'vitest'
import { iotlbEntriesFor } from '../packages/vhost-user/src/session/iotlb-entries.ts'

const PAGE = 4096
const BYTES = 32 << 20
const TABLES = 0x10_0000
const BUFFERS = 0x80_0000
const FEATURES = featureSet(VIRTIO_F_VERSION_1, VIRTIO_F_INDIRECT_DESC, VIRTIO_NET_F_MRG_RXBUF)

/** A driver whose buffers lie in an IOTLB of `limit` entries, which is asked page by page. */
function framesOver(limit: number) {
  const memory = new DataView(new ArrayBuffer(BYTES))
  const view = memoryView(memory.buffer as ArrayBuffer)
  const space = new MappedSpace([{ address: 0, length: BYTES, view, viewOffset: 0 }])
  const iotlb = new DeviceIotlb({ limit })
  const buffers = new IotlbBufferMap(iotlb, space)
  const ring = splitRingAreas(256, false, 0x1000, 0x8000, 0xa000)
  const accessor = vmapDirect.create({ cpu: plainCpu, space, ring, iotlb: null }, {})
  const driver = createDriverQueue({ ring, features: FEATURES, memory: space })
  const queue = createDeviceQueue({ accessor, cpu: plainCpu, ring, features: FEATURES, buffers })
  accessor.beginRound()
  queue.start(0)
  accessor.endRound()
  return {
    driver,
    common: { queue, buffers, cpu: plainCpu, features: FEATURES, notification: 'poll' as const },
    /** Descriptors of a table across two pages, each of a buffer across two pages of its own. */
    table(index: number, entries: number, length: number, writable: boolean): void {
      const at = TABLES + 2 * PAGE * index + PAGE - 16
      const list = Array.from({ length: entries }, (_, i) => ({
        address: BUFFERS + 2 * PAGE * (index * entries + i) + PAGE - (length >>> 1),
        length,
        writable,
      }))
      view.u8.set(encodeIndirectTable('split', list), at)
      driver.addIndirect(at, entries)
    },
    /** Rounds until the driver has everything back, each miss answered; -1: not within `limit` of them. */
    rounds(round: Round, most: number): number {
      driver.publish()
      for (let count = 1; count <= most; count++) {
        round.run()
        driver.reclaim()
        if (driver.freeCount === driver.queueSize) return count
        for (const { iova } of iotlb.takeMisses()) {
          const first = Math.floor(iova / PAGE) * PAGE
          // With the next ones, so that it takes fewer rounds.
          for (let page = first; page < first + 8 * PAGE; page += PAGE) iotlb.update(page, PAGE, page, 3)
        }
      }
      return -1
    },
  }
}

describe.each([
  ['all entries that there are', iotlbEntriesFor(1), true],
  ['a quarter of what the frame needs', 500, false],
] as const)('the worst frame through an IOTLB with %s', (_what, limit, ends) => {
  test('sent: 1024 buffers, each in two pages', () => {
    const one = framesOver(limit)
    one.table(0, CHAIN_DESCRIPTORS_MAX, 64, false)
    const round = new TxRound({ ...one.common, backend: new DropBackend() })
    expect(one.rounds(round, 600) > 0).toBe(ends)
  })

  test('received: 256 chains, each with a table in two pages and three buffers in two pages', () => {
    const one = framesOver(limit)
    for (let i = 0; i < RX_CHAINS_MAX; i++) one.table(i, 3, 64, true)
    const batch = new FrameBatch(12, memoryView(new ArrayBuffer(1 << 16)))
    batch.count = 1
    batch.length[0] = RX_CHAINS_MAX * 3 * 64
    const source = {
      receive: () => batch,
      consume: (count: number): void => {
        batch.count -= count
      },
    }
    expect(one.rounds(new RxRound({ ...one.common, source }), 600) > 0).toBe(ends)
  })
})

test('every table holds the worst that comes to it', () => {
  const batch = new ChainBatch(RX_CHAINS_MAX)
  expect(batch.length.length).toBeGreaterThanOrEqual(batch.descriptorLimit + CHAIN_DESCRIPTORS_MAX)
  // A frame of the longest chain in pages: two for each descriptor, and one for each page that a buffer goes on.
  expect(PIECES_MAX).toBeGreaterThanOrEqual(2 * CHAIN_DESCRIPTORS_MAX + Math.floor((FRAME_BYTES_MAX + 12) / PAGE) + 1)
  expect(iotlbEntriesFor(1)).toBeGreaterThan(PIECES_MAX + 2 * RX_CHAINS_MAX)
  // 128 pairs and a control queue.
  expect(() => new DeviceIotlb({ limit: iotlbEntriesFor(257) })).not.toThrow()
  expect(() => new LoopbackBackend({ bytes: (4 + 12 + FRAME_BYTES_MAX + 7) & ~7 })).not.toThrow()
  expect(RX_CHAINS_MAX).toBeLessThan(0x1_0000)
})
