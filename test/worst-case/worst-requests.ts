import { copyChecked } from '@vring/accessor-copy-checked'
import { iotlbTranslated } from '@vring/accessor-iotlb-translated'
import { DeviceIotlb } from '@vring/iotlb'
import {
  featureSet,
  packedRingAreas,
  splitRingAreas,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_RING_PACKED,
  VIRTIO_F_VERSION_1,
} from '@vring/layout'
import {
  ACCESS_READ,
  ACCESS_WRITE,
  GuestMap,
  LazyView,
  type MappedRegion,
  MappedSpace,
  memoryView,
  noDirtyLog,
} from '@vring/memory'
import { InflightPacked, InflightSplit, queueBytes, type StartedVring } from '@vring/vhost-user'
import { BlockDevice, type BlockStore } from '@vring/vhost-user-blk'
import { createDriverQueue, type DriverBuffer, encodeIndirectTable } from '@vring/virtqueue'

/** Guest, user and view address of everything are the same. */
const BYTES = 16 << 20
const TABLE = 0x30_0000
export const BUFFERS = 0x40_0000
const NEXT = 1
const INDIRECT = 4
const WRITE = 2
/** Types of block requests. */
const READ = 0
const DISCARD = 11
const ZEROES = 13

export interface RequestOptions {
  readonly packed?: boolean
  readonly queueSize?: number
  /** Bytes that each entry of an IOTLB translates from {@link BUFFERS} on; 0: there is none. */
  readonly entryBytes?: number
  /** The device notes what is in flight. */
  readonly noted?: boolean
  /** From {@link BUFFERS} on, memory is in views of this many bytes that are made when an address leads there; 0: in one. */
  readonly viewBytes?: number
}

/** A block device, its ring, and a driver that fills it with what costs most. */
export class WorstRequests {
  readonly memory = new DataView(new ArrayBuffer(BYTES))
  readonly driver
  readonly space: MappedSpace
  readonly iotlb: DeviceIotlb | null
  /** The area of requests in flight. */
  readonly area: ArrayBuffer
  /** Bytes that the store was asked for. */
  storeBytes = 0
  /** Bytes that the store was told that it may forget. */
  freedBytes = 0
  readonly #vring: StartedVring
  readonly #device: BlockDevice
  readonly #packed: boolean
  readonly #queueSize: number

  constructor({ packed = false, queueSize = 32768, entryBytes = 0, noted = false, viewBytes = 0 }: RequestOptions) {
    this.#packed = packed
    this.#queueSize = queueSize
    const view = memoryView(this.memory.buffer as ArrayBuffer)
    const first = viewBytes > 0 ? BUFFERS : BYTES
    const regions: MappedRegion[] = [{ address: 0, length: first, view, viewOffset: 0 }]
    for (let at = first; at < BYTES; at += viewBytes) {
      const lazy = new LazyView(BYTES, () => memoryView(this.memory.buffer as ArrayBuffer))
      regions.push({ address: at, length: viewBytes, view: lazy, viewOffset: at })
    }
    const space = new MappedSpace(regions)
    this.space = space
    const buffers = new GuestMap(space, [{ guestAddress: 0, length: BYTES, userAddress: 0 }])
    const features =
      featureSet(VIRTIO_F_VERSION_1, VIRTIO_F_INDIRECT_DESC) | (packed ? featureSet(VIRTIO_F_RING_PACKED) : 0n)
    const areas = packed ? packedRingAreas : splitRingAreas
    const ring = areas(queueSize, false, 0x1000, 0x10_0000, 0x20_0000)
    const iotlb = entryBytes > 0 ? new DeviceIotlb({ limit: 8192 }) : null
    if (iotlb !== null) {
      iotlb.update(0, BUFFERS, 0, ACCESS_READ | ACCESS_WRITE)
      for (let i = 0; i < 4000; i++) iotlb.update(BUFFERS + i * entryBytes, entryBytes, BUFFERS + 2 * i * entryBytes, 3)
    }
    this.iotlb = iotlb
    this.area = new ArrayBuffer(queueBytes(queueSize, packed))
    const inflight = (): InflightPacked | InflightSplit =>
      packed ? new InflightPacked(this.area, 0, queueSize) : new InflightSplit(this.area, 0, queueSize)
    this.driver = createDriverQueue({ ring, features, memory: space })
    const store: BlockStore = {
      bytes: 2 ** 29,
      read: (_, into) => this.count(into),
      write: (_, from) => this.count(from),
      flush: () => {},
      discard: (_, length) => this.countFreed(length),
    }
    this.#device = new BlockDevice({ store, accessor: iotlb === null ? copyChecked : iotlbTranslated })
    this.#vring = {
      ...{ index: 0, ring, base: this.driver.base, features, iotlb, usedLogAddress: null },
      memory: { space, buffers, dirtyLog: noDirtyLog, shared: { regions: [], log: null } },
      events: { kick: -1, call: -1, error: -1, polled: true },
      inflight: noted ? inflight() : null,
      ...{ kicked: () => true, notify: () => {}, signalError: () => {}, note: () => {} },
    }
  }

  private count(views: readonly Uint8Array[]): void {
    for (const { length } of views) this.storeBytes += length
  }

  private countFreed(length: number): void {
    this.freedBytes += length
  }

  start(): void {
    this.#device.startQueue(this.#vring)
    this.#device.setQueueEnabled(0, true)
  }

  serve(): number {
    return this.#device.serveQueue(0)
  }

  /** One request: its header, then `room` bytes at an address, the last of which is for its status. */
  one(address: number, room: number, type = 0): void {
    this.memory.setUint32(TABLE, type, true)
    this.driver.add([
      { address: TABLE, length: 16, writable: false },
      { address, length: room, writable: true },
    ])
    this.driver.publish()
  }

  /**
   * A table of `entries` descriptors that every head of the ring names: a header, then room of `length` bytes in each,
   * of `last` in the last one.
   */
  tables(entries: number, length: number, type = 0, last = length): void {
    this.table(entries, length, last)
    this.memory.setUint32(BUFFERS - 16, type, true)
    this.offer(entries)
  }

  /** As many ranges as `type` may have, each as long as it may be, in a request that every head of the ring names. */
  ranges(type: number, count: number, sectors: number): void {
    const at = BUFFERS - 16
    this.memory.setUint32(at, type, true)
    for (let range = 0; range < count; range++) this.memory.setUint32(BUFFERS + 16 * range + 8, sectors, true)
    this.write([
      { address: at, length: 16 + 16 * count },
      { address: TABLE + 0x1000, length: 1, writable: true },
    ])
    this.offer(2)
  }

  private offer(entries: number): void {
    while (this.driver.freeCount > 0) this.driver.addIndirect(TABLE, entries)
    this.driver.publish()
  }

  /** As an earlier device has left it: every head is in flight, with a table whose last descriptor is malformed. */
  inFlight(): void {
    this.table(1024, 1)
    const last = TABLE + 16 * 1023
    this.memory.setUint16(last + 12, NEXT | WRITE, true)
    if (!this.#packed) this.memory.setUint16(last + 14, 1024, true)
    const area = new DataView(this.area)
    for (let head = 0; head < this.#queueSize; head++) {
      if (this.#packed) {
        const at = 32 + 32 * head
        area.setUint8(at, 1)
        area.setUint16(at + 6, this.#queueSize, true)
        continue
      }
      area.setUint8(16 + 16 * head, 1)
      const at = 0x1000 + 16 * head
      this.memory.setBigUint64(at, BigInt(TABLE), true)
      this.memory.setUint32(at + 8, 16 * 1024, true)
      this.memory.setUint16(at + 12, INDIRECT, true)
    }
  }

  private table(entries: number, length: number, last = length): void {
    const buffers = Array.from({ length: entries }, (_, i) => ({
      address: i > 0 ? BUFFERS : BUFFERS - 16,
      length: i === 0 ? 16 : i + 1 < entries ? length : last,
      writable: i > 0,
    }))
    this.write(buffers)
  }

  private write(buffers: readonly DriverBuffer[]): void {
    new Uint8Array(this.memory.buffer).set(encodeIndirectTable(this.#packed ? 'packed' : 'split', buffers), TABLE)
  }
}

export interface RequestCase extends RequestOptions {
  readonly what: string
  readonly fill: (worst: WorstRequests) => void
}

const bothFormats = (what: string, options: RequestOptions, fill: RequestCase['fill']): readonly RequestCase[] =>
  [false, true].map((packed) => ({ ...options, packed, fill, what: packed ? `${what}, packed` : what }))

export const REQUEST_CASES: readonly RequestCase[] = [
  ...bothFormats('requests of 128 empty descriptors', {}, (w) => w.tables(128, 0)),
  ...bothFormats('requests of 128 buffers of a byte', {}, (w) => w.tables(128, 1)),
  ...bothFormats('requests of 1023 buffers of a byte', {}, (w) => w.tables(1024, 1)),
  ...bothFormats('reads of 1 MiB', {}, (w) => w.tables(258, 4096, READ, 1)),
  ...bothFormats('reads of 32 MiB', {}, (w) => w.tables(1024, 2 ** 15, READ, 2 ** 15 - 511)),
  ...bothFormats('16 ranges of 32 MiB of zeroes', {}, (w) => w.ranges(ZEROES, 16, 2 ** 16)),
  ...bothFormats('64 ranges of 512 MiB to discard', {}, (w) => w.ranges(DISCARD, 64, 2 ** 20)),
  ...bothFormats('buffers in pieces of a byte', { entryBytes: 1 }, (w) => w.tables(128, 3900)),
  ...bothFormats('buffers of 64 bytes in pieces of 64', { entryBytes: 64 }, (w) => w.tables(128, 64)),
  ...bothFormats('room of a megabyte, refused', {}, (w) => w.tables(257, 4096, 99)),
  ...bothFormats('a ring that was in flight, each chain malformed at its end', { noted: true }, (w) => w.inFlight()),
]
