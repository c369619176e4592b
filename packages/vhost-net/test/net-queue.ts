import { AccessCounters, type Accessor, CopyWindow, type Cpu, plainCpu, UncheckedUser2019 } from '@vring/accessor'
import { EAGAIN, featureSet, hasFeature, splitRingAreas, VIRTIO_F_EVENT_IDX, VIRTIO_F_VERSION_1 } from '@vring/layout'
import { type Access, type AddressMap, GuestMap, MappedSpace, type MemoryView, memoryView } from '@vring/memory'
import { createDeviceQueue, createDriverQueue, type DeviceQueue, type DriverQueue } from '@vring/virtqueue'
import type { FrameBatch, FrameSource, NetBackend, NetBackendCounters } from '../src/index.ts'
import { FrameBatch as Frames, NET_BATCH } from '../src/index.ts'

/** Guest-physical memory of two slots that adjoin, in two views: a frame may cross from one into the other. */
export const LOW = 0x10_0000
export const SLOT_BYTES = 0x40_0000
export const HIGH: number = LOW + SLOT_BYTES

/** A guest map whose translations can be made to miss, as a device IOTLB does. */
class MissableMap implements AddressMap {
  readonly #map: AddressMap
  missing = Number.POSITIVE_INFINITY

  constructor(map: AddressMap) {
    this.#map = map
  }

  get view(): MemoryView {
    return this.#map.view
  }

  get span(): number {
    return this.#map.span
  }

  resolve(address: number, length: number, access: Access): number {
    return address + length > this.missing ? EAGAIN : this.#map.resolve(address, length, access)
  }

  resolveSpan(address: number, length: number, access: Access): number {
    return address >= this.missing ? EAGAIN : this.#map.resolveSpan(address, length, access)
  }
}

/** A window on the used ring whose stores can be made to miss, as under a device IOTLB without prefetch. */
class MissableUsed extends CopyWindow {
  /** Which stores miss. */
  missing: 'none' | 'elements' | 'index' | 'flags' = 'none'

  override storeWords(offset: number, words: Uint32Array, index: number, count: number): number {
    return this.missing === 'elements' ? EAGAIN : super.storeWords(offset, words, index, count)
  }

  override store16Release(offset: number, value: number): number {
    return this.missing === 'index' ? EAGAIN : super.store16Release(offset, value)
  }

  override store16(offset: number, value: number): number {
    return this.missing === 'flags' ? EAGAIN : super.store16(offset, value)
  }
}

/** Keeps a copy of every frame, takes as many as it has room for. */
export class RecordingBackend implements NetBackend {
  readonly name = 'recording'
  readonly frames: string[] = []
  /** Frames of each transmit call, and `flush` between them. */
  readonly calls: (number | 'flush')[] = []
  room = Number.POSITIVE_INFINITY
  readonly counters: NetBackendCounters = { txFrames: 0, txBytes: 0, txDropped: {} }

  transmit(batch: FrameBatch): number {
    const taken = Math.min(batch.count, this.room)
    for (let i = 0; i < taken; i++) {
      const at = batch.offset[i]!
      this.frames.push(Buffer.from(batch.view.u8.slice(at, at + batch.length[i]!)).toString('latin1'))
    }
    this.room -= taken
    this.calls.push(taken)
    return taken
  }

  flush(): void {
    this.calls.push('flush')
  }

  close(): void {}
}

/** Frames that wait in an array. */
export class ArraySource implements FrameSource {
  readonly waiting: string[] = []
  readonly #batch: Frames

  constructor(headerBytes = 12) {
    this.#batch = new Frames(headerBytes, memoryView(new ArrayBuffer(NET_BATCH * 65_600)))
  }

  receive(): Frames {
    const batch = this.#batch
    batch.count = Math.min(this.waiting.length, NET_BATCH)
    for (let i = 0; i < batch.count; i++) {
      const bytes = Buffer.from(this.waiting[i]!, 'latin1')
      batch.view.u8.set(bytes, i * 65_600)
      batch.offset[i] = i * 65_600
      batch.length[i] = bytes.length
    }
    return batch
  }

  consume(count: number): void {
    this.waiting.splice(0, count)
  }
}

/** One queue in guest memory, driver and device side. */
export interface NetQueue {
  readonly driver: DriverQueue
  readonly device: DeviceQueue
  readonly map: MissableMap
  readonly used: MissableUsed
  readonly features: bigint
  readonly cpu: Cpu
  /** Bytes at a guest-physical address, across slots. */
  read(address: number, length: number): string
  write(address: number, bytes: string): void
}

export function netQueue(
  queueSize = 256,
  features: bigint = featureSet(VIRTIO_F_VERSION_1),
  cpu: Cpu = plainCpu,
): NetQueue {
  const userBase = 0x7f00_0000_0000
  const views = [memoryView(new ArrayBuffer(SLOT_BYTES)), memoryView(new ArrayBuffer(SLOT_BYTES))]
  const space = new MappedSpace(
    views.map((view, i) => ({ address: userBase + i * 2 * SLOT_BYTES, length: SLOT_BYTES, view, viewOffset: 0 })),
  )
  const map = new MissableMap(
    new GuestMap(
      space,
      views.map((_, i) => ({
        guestAddress: LOW + i * SLOT_BYTES,
        length: SLOT_BYTES,
        userAddress: userBase + i * 2 * SLOT_BYTES,
      })),
    ),
  )
  const eventIdx = hasFeature(features, VIRTIO_F_EVENT_IDX)
  const ring = splitRingAreas(queueSize, eventIdx, userBase, userBase + 0x8_0000, userBase + 0xa_0000)
  const user = new UncheckedUser2019(cpu, space)
  const used = new MissableUsed(user, ring.device)
  const accessor: Accessor = {
    name: 'test',
    desc: new CopyWindow(user, ring.desc),
    driver: new CopyWindow(user, ring.driver),
    device: used,
    lease: null,
    beginRound: () => 'ready',
    endRound: () => {},
    counters: new AccessCounters(),
    close: () => {},
  }
  const driver = createDriverQueue({ ring, memory: space, features })
  const device = createDeviceQueue({ accessor, cpu, ring, features, buffers: map })
  device.start(0)
  const at = (address: number): [Uint8Array, number] => [
    views[address < HIGH ? 0 : 1]!.u8,
    (address - LOW) % SLOT_BYTES,
  ]
  return {
    driver,
    device,
    map,
    used,
    features,
    cpu,
    read: (address, length) =>
      Array.from({ length }, (_, i) => {
        const [u8, offset] = at(address + i)
        return String.fromCharCode(u8[offset]!)
      }).join(''),
    write: (address, bytes) => {
      for (let i = 0; i < bytes.length; i++) {
        const [u8, offset] = at(address + i)
        u8[offset] = bytes.charCodeAt(i)
      }
    },
  }
}

/** Twelve zero bytes of virtio-net header and a frame that says which one it is. */
export function frame(index: number, bytes = 64, headerBytes = 12): string {
  return '\0'.repeat(headerBytes) + `frame ${index};`.padEnd(bytes, '.')
}
