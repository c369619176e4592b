import { iotlbTranslated } from '@vring/accessor-iotlb-translated'
import { featureSet, splitRingAreas, VIRTIO_F_ACCESS_PLATFORM } from '@vring/layout'

import { DirtyBitmap, memoryView } from '@vring/memory'
import { FrameBatch, type FrameSource } from '@vring/vhost-net'
import { createDriverQueue } from '@vring/virtqueue'
import { describe, expect, test } from 'vitest'
import { BUFFERS, closeAfterEach, FEATURES, GUEST, NetBench, reason } from '../test/net-bench.ts'

describe.skipIf(reason !== null)(`NetDevice${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let bench: NetBench
  closeAfterEach(() => bench)

  test('with a device IOTLB the migration log notes guest pages: of buffers, and of the used ring', () => {
    const features = featureSet(VIRTIO_F_ACCESS_PLATFORM)
    const batch = new FrameBatch(12, memoryView(new ArrayBuffer(4096)))
    const source: FrameSource = {
      receive: () => {
        batch.count = 1
        batch.length[0] = 12 + 64
        return batch
      },
      consume: () => {},
    }
    bench = new NetBench({ accessor: iotlbTranslated, features, source: () => source }, FEATURES | features)
    const { userAddress, size } = bench.memory.region
    const iova = 0x30_0000_0000
    bench.session.iotlb.update(iova, size, userAddress, 3)
    const bitmap = DirtyBitmap.forGuest(GUEST + size)
    bench.session.memory.setDirtyLog(bitmap)
    const ring = splitRingAreas(256, false, iova, iova + 0x4000, iova + 0x8000)
    const driver = createDriverQueue({ ring: bench.ring(0), memory: bench.memory.space, features: FEATURES })
    bench.frontend.startQueue(0, ring)
    bench.frontend.call('SET_VRING_ADDR', {
      index: 0,
      flags: 1,
      desc: ring.desc.address,
      avail: ring.driver.address,
      used: ring.device.address,
      log: ring.device.address,
    })
    driver.addOne(iova + BUFFERS, 2048, true)
    driver.publish()
    expect(bench.device.serveQueue(0)).toBe(1)
    expect(driver.getUsed()).toBe(true)
    expect(bitmap.take()).toEqual([(GUEST + 0x8000) / 4096, (GUEST + BUFFERS) / 4096])
  })

  test('with a device IOTLB the ring waits for its translations and starts with them', () => {
    bench = new NetBench(
      { accessor: iotlbTranslated, features: featureSet(VIRTIO_F_ACCESS_PLATFORM) },
      FEATURES | featureSet(VIRTIO_F_ACCESS_PLATFORM),
    )
    const { userAddress } = bench.memory.region
    const driver = bench.driver(1)
    bench.send(driver, 3)
    expect(bench.device.serveQueue(1)).toBe(0)
    bench.session.iotlb.update(userAddress, 0x8_0000, userAddress, 3)
    expect(bench.device.serveQueue(1)).toBe(0)
    bench.session.iotlb.update(GUEST, 1 << 20, userAddress, 1)
    expect(bench.device.serveQueue(1)).toBe(3)
    expect(driver.reclaim()).toBe(3)
  })
})
