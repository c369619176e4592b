import {
  featureSet,
  packedRingAreas,
  type RingAreas,
  splitRingAreas,
  USED_IDX_OFFSET,
  VHOST_F_LOG_ALL,
  VIRTIO_F_ACCESS_PLATFORM,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_RING_PACKED,
  VIRTIO_F_VERSION_1,
  VIRTIO_NET_F_MRG_RXBUF,
} from '@vring/layout'
import { UnixSocket } from '@vring/linux'
import { ACCESS_WRITE, MappedSpace } from '@vring/memory'
import { FrontendMemory, type FrontendQueue, VhostUserFrontend } from '@vring/vhost-user'
import { createDriverQueue, type DriverQueue } from '@vring/virtqueue'

export const PAGE = 4096
const BYTES = 4 * 2 ** 20
const GUEST = 0x8000_0000
const USER = 2 ** 40
/** With an IOMMU: what lies at a guest address has an IOVA this much higher. */
const IOVA_ABOVE = 0x10_0000_0000
const SLOTS = 256
const SLOT_BYTES = 2048
/** Where the slots of queue 0 and 1 begin. */
const SLOTS_AT = [0x10_0000, 0x20_0000] as const
const RING_BYTES = 0x1_0000
const HEADER_BYTES = 12
const [RX, TX] = [0, 1]
/** Bit of VHOST_VRING_F_LOG in SET_VRING_ADDR. */
const VRING_F_LOG = 1

export interface MigratingOptions {
  readonly packed: boolean
  /** Addresses of rings and buffers are IOVAs (ACCESS_PLATFORM). */
  readonly iommu: boolean
}

/** A frame whose length and bytes follow from its number. */
function frameOf(number: number): Uint8Array {
  const frame = new Uint8Array(60 + ((number * 37) % 1400)).fill(number & 0xff)
  new DataView(frame.buffer).setUint32(0, number, true)
  return frame
}

function guestMemory(): FrontendMemory {
  return new FrontendMemory({ bytes: BYTES, guestAddress: GUEST, userAddress: USER })
}

function bytesOf({ space, region }: FrontendMemory): Uint8Array {
  space.resolve(region.userAddress, 1, ACCESS_WRITE)
  return space.view.u8
}

/**
 * A network driver that migrates from one daemon to another as a guest does, while frames go round: its memory is
 * copied page by page, what changes meanwhile is copied again, and its rings go on where the first daemon stopped.
 * Pages that the device wrote are known by the log that the daemon keeps, and by nothing else.
 */
export class MigratingDriver {
  /** Frames that were sent, and that came back. */
  sent = 0
  received = 0
  readonly source: FrontendMemory = guestMemory()
  readonly target: FrontendMemory = guestMemory()
  /** Pages that the daemon's log named so far, as offsets in the memory. */
  readonly logged: Set<number> = new Set()
  readonly #options: MigratingOptions
  readonly #above: number
  /** The guest's own view: of the source, and of the target when it runs there. */
  readonly #space: MappedSpace
  readonly #queues: readonly DriverQueue[]
  readonly #freeSlots: readonly (readonly [number[], Map<number, number>])[]
  readonly #log = new FrontendMemory({ bytes: PAGE * Math.ceil((GUEST + BYTES) / PAGE / 8 / PAGE) })
  /** Pages that the guest wrote since they were copied: a hypervisor knows them without the daemon. */
  #touched = new Set<number>()
  #frontend: VhostUserFrontend
  #signals: FrontendQueue[] = []

  /** @param socket of the first daemon */
  constructor(socket: string, options: MigratingOptions) {
    this.#options = options
    this.#above = options.iommu ? IOVA_ABOVE : 0
    this.#space = new MappedSpace(this.source.space.regions)
    this.#frontend = this.#connect(socket)
    const { features } = this.#frontend
    this.#queues = [RX, TX].map((index) =>
      createDriverQueue({ ring: this.#ring(index, USER), memory: this.#space, features }),
    )
    this.#freeSlots = [RX, TX].map(() => [Array.from({ length: SLOTS }, (_, i) => i), new Map()])
    this.#start(this.source, [])
  }

  get features(): bigint {
    return this.#frontend.features
  }

  /** What the daemons have to name in their log: areas of its rings that a device writes, as offsets of pages. */
  get deviceWritten(): readonly number[] {
    const pages = [RX, TX].flatMap((index) => {
      const { desc, device } = this.#ring(index, 0)
      return this.#options.packed ? [desc.address, device.address] : [device.address]
    })
    return pages.map((at) => at - (at % PAGE))
  }

  /** One turn of the driver: sends what there is room for, at most `most` frames, and takes what came. */
  turn(most: number): void {
    this.#receive()
    const [queue, [free, slotOf]] = [this.#queues[TX]!, this.#freeSlots[TX]!]
    while (queue.getUsed()) free.push(slotOf.get(queue.usedId)!)
    for (let i = 0; i < most && free.length > 0; i++) {
      const slot = free.shift()!
      const at = SLOTS_AT[TX]! + slot * SLOT_BYTES
      const frame = frameOf(this.sent++)
      const bytes = new Uint8Array(HEADER_BYTES + frame.length)
      bytes.set(frame, HEADER_BYTES)
      this.#u8.set(bytes, at)
      this.#touch(at, bytes.length)
      slotOf.set(queue.addOne(this.#above + GUEST + at, bytes.length, false), slot)
    }
    this.#publish(TX)
  }

  /** The daemon notes the pages that it writes from now on; all of the memory is copied. */
  startLog(): void {
    const frontend = this.#frontend
    frontend.call('SET_LOG_BASE', { size: this.#log.region.size, offset: 0 }, [this.#log.fd])
    frontend.call('SET_FEATURES', frontend.features | featureSet(VHOST_F_LOG_ALL))
    for (const index of [RX, TX]) {
      const { desc, driver, device } = this.#ring(index, this.#options.iommu ? this.#above + GUEST : USER)
      const addresses = { desc: desc.address, avail: driver.address, used: device.address }
      // Of a split ring's device area; an IOVA with an IOMMU, as QEMU says it.
      const log = this.#ring(index, this.#above + GUEST).device.address
      frontend.call('SET_VRING_ADDR', { index, flags: VRING_F_LOG, ...addresses, log })
    }
    bytesOf(this.target).set(bytesOf(this.source))
    this.#touched.clear()
  }

  /**
   * Copies the pages that were written since the last time.
   *
   * @returns how many the daemon's log named
   */
  copyDirty(): number {
    const named: number[] = []
    const log = bytesOf(this.#log)
    for (let page = 0; page < BYTES / PAGE; page += 8) {
      const bits = Atomics.exchange(log, (GUEST / PAGE + page) / 8, 0)
      for (let bit = 0; bit < 8; bit++) if ((bits & (1 << bit)) !== 0) named.push((page + bit) * PAGE)
    }
    const [from, to] = [bytesOf(this.source), bytesOf(this.target)]
    for (const at of new Set([...named, ...this.#touched])) to.set(from.subarray(at, at + PAGE), at)
    for (const at of named) this.logged.add(at)
    this.#touched.clear()
    return named.length
  }

  /** Pages of the target that are not as those of the source, as offsets. */
  differing(): number[] {
    const [from, to] = [bytesOf(this.source), bytesOf(this.target)]
    const pages = Array.from({ length: BYTES / PAGE }, (_, page) => page * PAGE)
    return pages.filter((at) => Buffer.compare(from.subarray(at, at + PAGE), to.subarray(at, at + PAGE)) !== 0)
  }

  /** Stops a ring. @returns its base */
  stop(index: number): number {
    return this.#frontend.stopQueue(index)
  }

  /** Frames that the device has and that did not come back yet. */
  get underWay(): number {
    return this.sent - this.received - this.pending
  }

  /** Frames that are in the ring, and that no device has taken: all that was taken is given back when the ring stops. */
  get pending(): number {
    const [queue, [free, slotOf]] = [this.#queues[TX]!, this.#freeSlots[TX]!]
    while (queue.getUsed()) free.push(slotOf.get(queue.usedId)!)
    return SLOTS - free.length
  }

  /** Where the driver says that the device stands: in a split ring at the used index, which it reads. */
  base(index: number): number {
    if (this.#options.packed) return this.#queues[index]!.base
    const at = this.#ring(index, 0).device.address + USED_IDX_OFFSET
    return this.#u8[at]! | (this.#u8[at + 1]! << 8)
  }

  /** The guest runs on the target, whose daemon listens on the socket; nothing is left in the source. */
  resume(socket: string, bases: readonly number[]): void {
    this.#frontend.close()
    bytesOf(this.source).fill(0xee)
    this.#space.replaceRegions(this.target.space.regions)
    this.#frontend = this.#connect(socket)
    this.#start(this.target, bases)
  }

  close(): void {
    this.#frontend.close()
    for (const one of [this.source, this.target, this.#log]) one.close()
  }

  get #u8(): Uint8Array {
    this.#space.resolve(USER, 1, ACCESS_WRITE)
    return this.#space.view.u8
  }

  #connect(socket: string): VhostUserFrontend {
    const frontend = new VhostUserFrontend({ transport: UnixSocket.connect(socket) })
    const { packed, iommu } = this.#options
    const common = [VIRTIO_F_VERSION_1, VIRTIO_NET_F_MRG_RXBUF, VIRTIO_F_EVENT_IDX]
    const more = [...(packed ? [VIRTIO_F_RING_PACKED] : []), ...(iommu ? [VIRTIO_F_ACCESS_PLATFORM] : [])]
    frontend.negotiate(featureSet(...common, ...more))
    return frontend
  }

  #start(shared: FrontendMemory, bases: readonly number[]): void {
    const { iommu } = this.#options
    this.#frontend.shareMemory([shared])
    if (iommu) {
      const [iova, permission, type] = [this.#above + GUEST, 3, 2]
      this.#frontend.call('IOTLB_MSG', { iova, size: BYTES, userAddress: USER, permission, type })
    }
    this.#signals = [RX, TX].map((index) =>
      this.#frontend.startQueue(
        index,
        this.#ring(index, iommu ? this.#above + GUEST : USER),
        bases[index] ?? this.base(index),
      ),
    )
    this.#receive()
    for (const { kick } of this.#signals) kick.signal()
  }

  #receive(): void {
    const [queue, [free, slotOf]] = [this.#queues[RX]!, this.#freeSlots[RX]!]
    while (queue.getUsed()) {
      const slot = slotOf.get(queue.usedId)!
      const at = SLOTS_AT[RX]! + slot * SLOT_BYTES
      const frame = this.#u8.subarray(at + HEADER_BYTES, at + queue.usedLength)
      const expected = frameOf(this.received)
      if (Buffer.compare(frame, expected) !== 0) {
        const number = new DataView(frame.buffer, frame.byteOffset).getUint32(0, true)
        throw new Error(`frame ${number} of ${frame.length} bytes came; expected ${this.received}`)
      }
      this.received++
      free.push(slot)
    }
    while (free.length > 0) {
      const slot = free.shift()!
      slotOf.set(queue.addOne(this.#above + GUEST + SLOTS_AT[RX]! + slot * SLOT_BYTES, SLOT_BYTES, true), slot)
    }
    this.#publish(RX)
  }

  #publish(index: number): void {
    const queue = this.#queues[index]!
    queue.publish()
    const { desc, driver } = this.#ring(index, 0)
    for (const { address, length } of [desc, driver]) this.#touch(address, length)
    if (queue.needsKick()) this.#signals[index]?.kick.signal()
  }

  #touch(at: number, length: number): void {
    for (let page = at - (at % PAGE); page < at + length; page += PAGE) this.#touched.add(page)
  }

  /** The areas of a ring in an address space in which the memory begins at `memory`. */
  #ring(index: number, memory: number): RingAreas {
    const at = memory + RING_BYTES * index
    const areas = this.#options.packed ? packedRingAreas : splitRingAreas
    return areas(SLOTS, true, at, at + 0x4000, at + 0x8000)
  }
}
