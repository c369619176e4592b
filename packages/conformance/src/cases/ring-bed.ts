import { type Accessor, RecordingCpu } from '@vring/accessor'
import {
  type Area,
  featureSet,
  hasFeature,
  type RingAreas,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_RING_PACKED,
} from '@vring/layout'
import { ACCESS_READ, type MemoryView } from '@vring/memory'
import { createWorld, type World, type WorldOptions } from '@vring/testkit'
import {
  ChainBatch,
  createDeviceQueue,
  createDriverQueue,
  type DeviceQueue,
  type DeviceQueueOptions,
  type DriverQueue,
  encodeIndirectTable,
} from '@vring/virtqueue'
import { check, checkEqual, type Subject } from '../conformance-case.ts'
import { delegate } from '../mutants/mutant.ts'

const FORMATS: readonly RingAreas['format'][] = ['split', 'packed']

/** How a bed differs. */
export interface RingBedOptions extends WorldOptions {
  /** RING_PACKED follows from the ring's format. */
  readonly features?: bigint
  /** The only format that is examined; default `any`. */
  readonly only?: RingAreas['format'] | 'any'
  /** Go by windows, whether or not the accessor has a lease. */
  readonly windows?: boolean
  readonly kind?: 'readable' | 'writable'
  /** Wraps the accessor. */
  readonly accessor?: (accessor: Accessor, bed: RingBed) => Accessor
  readonly device?: Partial<DeviceQueueOptions>
}

/** Descriptors that a bed's device loads at most: more is a loop without end. */
const LOADS_MAX = 100_000

/** Bytes of memory for buffers and indirect tables. */
const HEAP_BYTES = 0x8000

/** A port that ends loops without end. */
export class BoundedCpu extends RecordingCpu {
  #loads = 0

  override loadWords(words: Uint32Array, index: number, out: Uint32Array, at: number, count: number): void {
    this.#count()
    super.loadWords(words, index, out, at, count)
  }

  override copy(to: MemoryView, toOffset: number, from: MemoryView, fromOffset: number, length: number): void {
    this.#count()
    super.copy(to, toOffset, from, fromOffset, length)
  }

  #count(): void {
    check(++this.#loads < LOADS_MAX, `more than ${LOADS_MAX} descriptors are loaded: a loop without end`)
  }
}

/** The shipped ring of a format over an accessor in a world of its own: driver, device, and memory for buffers. */
export class RingBed {
  readonly world: World
  readonly cpu: RecordingCpu
  readonly driver: DriverQueue
  readonly device: DeviceQueue
  readonly batch: ChainBatch
  /** Address of 32 KiB for buffers and indirect tables. */
  readonly heap: number
  readonly split: boolean
  readonly #device: DeviceQueueOptions

  constructor(subject: Subject, options: RingBedOptions) {
    const negotiated = options.features ?? featureSet(VIRTIO_F_INDIRECT_DESC, VIRTIO_F_EVENT_IDX)
    const world = createWorld(subject, { cpu: new BoundedCpu(), queueSize: 8, ...options, eventIdx: true })
    const features = negotiated | featureSet(...(world.ring.format === 'packed' ? [VIRTIO_F_RING_PACKED] : []))
    const eventIdx = hasFeature(features, VIRTIO_F_EVENT_IDX)
    const ring = { ...world.ring, eventIdx }
    this.world = world
    this.cpu = world.cpu
    this.split = ring.format === 'split'
    this.heap = world.mapBuffers(HEAP_BYTES)
    const wrapped = options.accessor?.(world.accessor, this) ?? world.accessor
    const accessor = options.windows === true ? delegate(wrapped, { lease: null }) : wrapped
    const driverRing = { ...world.driverRing, eventIdx }
    this.driver = createDriverQueue({ ring: driverRing, memory: world.driverMemory, features })
    const { cpu, space } = world
    this.#device = { accessor, cpu, ring, features, buffers: space, ...options.device }
    this.device = createDeviceQueue(this.#device)
    this.batch = new ChainBatch(64, options.kind)
    world.round(() => checkEqual(this.device.start(this.driver.base), 0, 'start'))
  }

  /** Another queue for the same ring, which was not started. */
  otherDevice(): DeviceQueue {
    return createDeviceQueue(this.#device)
  }

  /** Takes up to `max` chains in a round. */
  pop(max = 64): number {
    return this.round(() => this.device.popBatch(this.batch, max))
  }

  /** Lengths of the segments of each chain of the batch. */
  lengths(batch: ChainBatch = this.batch): number[][] {
    return Array.from({ length: batch.count }, (_, chain) => [
      ...batch.length.subarray(batch.segStart[chain], batch.segStart[chain + 1]),
    ])
  }

  /** Adds one chain of readable buffers with these lengths, without publishing it. */
  addChain(...lengths: number[]): number {
    return this.driver.add(lengths.map((length, part) => ({ address: this.heap + 64 * part, length })))
  }

  /** Where the bytes of an area, or of the heap, are in the view; they must be contiguous. */
  placeOf(what: Area | 'heap'): { readonly start: number; readonly end: number } {
    const { address, length } =
      what === 'heap' ? { address: this.heap, length: HEAP_BYTES } : this.world.driverRing[what]
    const start = this.world.driverMemory.resolve(address, length, ACCESS_READ)
    return { start, end: start + length }
  }

  /** Makes chains of one buffer each available; lengths count up from `length`. */
  addSingles(count: number, length = 60, writable = false): void {
    for (let i = 0; i < count; i++) this.driver.addOne(this.heap, length + i, writable)
    this.driver.publish()
  }

  /** Adds, without publishing it, an indirect table of readable buffers; lengths count up from `length`. */
  addTable(at: number, entries: number, length: number): number {
    const buffers = Array.from({ length: entries }, (_, entry) => ({
      address: this.heap + 64 * entry,
      length: length + entry,
    }))
    this.world.space.write(at, encodeIndirectTable(this.split ? 'split' : 'packed', buffers))
    return this.driver.addIndirect(at, entries)
  }

  /** Writes a descriptor of a table as no driver would; `tail` is its last word. */
  writeTable(at: number, entry: number, address: number, length: number, tail: number): void {
    const words = Uint32Array.of(address >>> 0, Math.floor(address / 2 ** 32), length, tail >>> 0)
    this.world.space.write(at + 16 * entry, new Uint8Array(words.buffer))
  }

  /** Writes a descriptor of the ring; `tail` is its last word: flags and next (split), id and flags (packed). */
  writeDescriptor(index: number, address: number, length: number, tail: number): void {
    const { desc } = this.driver.windows
    desc.store32(16 * index, address >>> 0)
    desc.store32(16 * index + 4, Math.floor(address / 2 ** 32))
    desc.store32(16 * index + 8, length)
    desc.store32(16 * index + 12, tail >>> 0)
  }

  /** Runs in a round of the accessor, which must be able to begin. */
  round<T>(body: () => T): T {
    let result: T | undefined
    this.world.round(() => {
      result = body()
    })
    return result as T
  }
}

/** Runs `examine` on a bed of each format, by lease where the accessor has one, and by windows. */
export function onEveryRing(
  subject: Subject,
  options: RingBedOptions,
  examine: (bed: RingBed, where: string) => void,
): void {
  for (const format of FORMATS.filter((one) => (options.only ?? 'any') === 'any' || options.only === one))
    for (const windows of [false, true]) {
      const bed = new RingBed(subject, { ...options, format, windows })
      examine(bed, `${format} ring${windows ? ' by windows' : ''}`)
      bed.world.accessor.close()
    }
}
