import { AccessCounters, type Accessor, CopyWindow, plainCpu, UncheckedUser2019, type Window } from '@vring/accessor'
import { EFAULT, featureSet, hasFeature, type RingAreas, splitRingAreas, VIRTIO_F_EVENT_IDX } from '@vring/layout'
import type { KernelMapping, MapRefusal, MemoryView, UserSpace } from '@vring/memory'
import { memoryView } from '@vring/memory'
import { ChainBatch, DeviceQueue, DriverQueue } from '../src/index.ts'

/** A space that maps address to offset one to one, 1 MiB from address 0x1000: what ring logic needs, and no more. */
export class FlatSpace implements UserSpace {
  readonly view: MemoryView = memoryView(new ArrayBuffer(1 << 20))
  span = 0
  readonly limit: number = 0x7fff_ffff_f000
  readonly notifiers = { register: () => () => {} }
  /** Addresses from here fault; tests move it. */
  end = 1 << 20

  resolve(address: number, length: number): number {
    return address >= 0x1000 && length <= this.end - address ? address : EFAULT
  }

  resolveSpan(address: number, length: number): number {
    const at = this.resolve(address, 1)
    this.span = Math.min(length, this.end - address)
    return at
  }

  mapKernel(): KernelMapping | MapRefusal {
    return 'no-notifier'
  }
}

/** Everything a test of one queue needs. */
export interface FlatQueue {
  readonly space: FlatSpace
  readonly ring: RingAreas
  readonly device: DeviceQueue
  readonly driver: DriverQueue
  readonly batch: ChainBatch
  /** The driver's raw windows: for writing nonsense. */
  readonly raw: { readonly desc: Window; readonly avail: Window; readonly used: Window }
  /** Buffers may be placed from here. */
  readonly heap: number
  accessor(): Accessor
}

/** A queue of `queueSize` at the front of a {@link FlatSpace}, started at avail index `start`. */
export function flatQueue(queueSize = 8, features: bigint = featureSet(), start = 0): FlatQueue {
  const space = new FlatSpace()
  const eventIdx = hasFeature(features, VIRTIO_F_EVENT_IDX)
  const ring = splitRingAreas(queueSize, eventIdx, 0x1000, 0x1000 + 16 * queueSize, 0x1000 + 32 * queueSize)
  const heap = 0x1000 + 64 * queueSize
  const accessor = (): Accessor => {
    const user = new UncheckedUser2019(plainCpu, space)
    return {
      name: 'test',
      desc: new CopyWindow(user, ring.desc.address),
      avail: new CopyWindow(user, ring.avail.address),
      used: new CopyWindow(user, ring.used.address),
      beginRound: () => 'ready',
      endRound: () => {},
      counters: new AccessCounters(),
      close: () => {},
    }
  }
  const driver = new DriverQueue({ ring, memory: space, features })
  driver.availIdx = start
  driver.lastUsed = start
  driver.windows.avail.store16Release(2, start)
  driver.windows.used.store16Release(2, start)
  const device = new DeviceQueue({ accessor: accessor(), cpu: plainCpu, ring, features, buffers: space })
  device.start(start)
  return { space, ring, device, driver, batch: new ChainBatch(64), raw: driver.windows, heap, accessor }
}
