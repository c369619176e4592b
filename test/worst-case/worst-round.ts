import { CountingCpu } from '@vring/accessor'
import { copyChecked } from '@vring/accessor-copy-checked'
import { DeviceIotlb, IotlbBufferMap, IotlbDirtyLog } from '@vring/iotlb'
import {
  featureSet,
  packedRingAreas,
  splitRingAreas,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_RING_PACKED,
  VIRTIO_F_VERSION_1,
  VIRTIO_NET_F_MRG_RXBUF,
} from '@vring/layout'
import {
  ACCESS_READ,
  ACCESS_WRITE,
  DirtyBitmap,
  GuestMap,
  MappedSpace,
  memoryView,
  UserDirtyLog,
  WORK_BYTES,
  WORK_PER_LOOK,
  work,
} from '@vring/memory'
import { FrameBatch, type FrameSource, LoopbackBackend, type Round, RxRound, TxRound } from '@vring/vhost-net'
import {
  BATCH_DESCRIPTORS_MAX,
  CHAIN_DESCRIPTORS_MAX,
  createDeviceQueue,
  createDriverQueue,
  encodeIndirectTable,
  PIECES_MAX,
} from '@vring/virtqueue'

/**
 * What the step that crosses {@link WORK_PER_LOOK} may add: a batch with its longest chain, then one frame in the most
 * pieces, each looked up three times, copied, and looked up and noted for the log.
 */
const STEP = BATCH_DESCRIPTORS_MAX + CHAIN_DESCRIPTORS_MAX + 9 * PIECES_MAX
export const BOUND = WORK_PER_LOOK + STEP

export const RING_SIZE = 256
/** Guest, user and view address of everything are the same. */
const BYTES = 8 << 20
const TABLE = 0x10_0000
export const BUFFERS = 0x20_0000
export const WRITE = 2

interface Options {
  readonly packed?: boolean
  readonly mergeable?: boolean
  /** Bytes that each entry of an IOTLB translates; 0: there is none. */
  readonly entryBytes?: number
  /** Bytes of each memory region from {@link BUFFERS} on; 0: one region. */
  readonly regionBytes?: number
  readonly log?: boolean
}

/** A queue that counts what its rounds do, by itself: not by what they charge. */
export class Worst {
  readonly memory = new DataView(new ArrayBuffer(BYTES))
  readonly cpu = new CountingCpu()
  readonly driver
  readonly features: bigint
  readonly buffers
  readonly queue
  readonly bitmap = DirtyBitmap.forGuest(BYTES)
  readonly log
  private readonly accessor
  private readonly packed: boolean
  private searches = 0
  private pages = 0

  constructor(options: Options) {
    const { packed = false, mergeable = true, entryBytes = 0, regionBytes = 0 } = options
    this.packed = packed
    this.features =
      featureSet(VIRTIO_F_VERSION_1, VIRTIO_F_INDIRECT_DESC) |
      (packed ? featureSet(VIRTIO_F_RING_PACKED) : 0n) |
      (mergeable ? featureSet(VIRTIO_NET_F_MRG_RXBUF) : 0n)
    const view = memoryView(this.memory.buffer as ArrayBuffer)
    const starts = [0]
    for (let at = BUFFERS; regionBytes > 0 && starts.length < 509; at += regionBytes) starts.push(at)
    const regions = starts.map((address, i) => ({ address, length: (starts[i + 1] ?? BYTES) - address }))
    const space = new MappedSpace(regions.map((region) => ({ ...region, view, viewOffset: region.address })))
    const map = new GuestMap(
      space,
      regions.map(({ address, length }) => ({ guestAddress: address, length, userAddress: address })),
    )
    const iotlb = new DeviceIotlb({ limit: 4096 })
    if (entryBytes > 0) {
      iotlb.update(0, BUFFERS, 0, ACCESS_READ | ACCESS_WRITE)
      for (let i = 0; i < 4000; i++)
        iotlb.update(BUFFERS + i * entryBytes, entryBytes, BUFFERS + ((i * 8191) % 4000) * entryBytes, 3)
    }
    const { lookup } = iotlb
    iotlb.lookup = (iova) => {
      this.searches++
      return lookup.call(iotlb, iova)
    }
    this.buffers = entryBytes > 0 ? new IotlbBufferMap(iotlb, space) : map
    const byUser = entryBytes > 0 ? new IotlbDirtyLog(iotlb, new UserDirtyLog(map, this.bitmap)) : this.bitmap
    const write = this.bitmap.write.bind(this.bitmap)
    this.bitmap.write = (address, length) => {
      this.pages += Math.floor((address + length - 1) / 4096) - Math.floor(address / 4096) + 1
      return write(address, length)
    }
    this.log = options.log === true ? byUser : null
    const areas = packed ? packedRingAreas : splitRingAreas
    const ring = areas(RING_SIZE, false, 0x1000, 0x8000, 0xa000)
    this.accessor = copyChecked.create({ cpu: this.cpu, space, ring, iotlb: null }, {})
    const common = { ring, features: this.features }
    this.driver = createDriverQueue({ ...common, memory: space })
    this.queue = createDeviceQueue({ ...common, accessor: this.accessor, cpu: this.cpu, buffers: this.buffers })
    this.accessor.beginRound()
    this.queue.start(this.driver.base)
    this.accessor.endRound()
  }

  /** Fills the ring with one indirect table: `length` bytes to each of 1024 descriptors, `stride` apart. */
  tables(length: number, stride: number, flags: number, last = length): void {
    const entries = CHAIN_DESCRIPTORS_MAX
    const buffers = Array.from({ length: entries }, (_, i) => ({
      address: BUFFERS + stride * i,
      length: i + 1 < entries ? length : last,
      writable: flags === WRITE,
    }))
    new Uint8Array(this.memory.buffer).set(encodeIndirectTable(this.packed ? 'packed' : 'split', buffers), TABLE)
    while (this.driver.freeCount > 0) this.driver.addIndirect(TABLE, entries)
    this.driver.publish()
  }

  singles(length: number, at: (i: number) => number, writable: boolean): void {
    for (let i = 0; i < RING_SIZE; i++) this.driver.addOne(at(i), length, writable)
    this.driver.publish()
  }

  get common() {
    const { queue, buffers, cpu, features } = this
    return { queue, buffers, cpu, features, notification: 'event' as const }
  }

  /** One round: the largest number of any step, a descriptor being four words and a copy {@link WORK_BYTES}. */
  run(round: Round): number {
    const { steps } = this.cpu
    const [loads, walks, bytes] = [steps.load, steps.walk, steps.copyBytes]
    this.searches = this.pages = 0
    round.run()
    this.driver.reclaim()
    return Math.max(
      this.searches,
      this.pages,
      (steps.load - loads) / 2,
      (steps.walk - walks) / 2,
      (steps.copyBytes - bytes) / WORK_BYTES,
      work.spent,
    )
  }
}

/** As many frames as are asked for. */
export class EndlessSource implements FrameSource {
  consumed = 0
  private readonly batch: FrameBatch

  constructor(bytes: number) {
    this.batch = new FrameBatch(12, memoryView(new ArrayBuffer((12 + bytes + 7) & ~7)))
    this.batch.count = 64
    this.batch.length.fill(12 + bytes)
  }

  receive(): FrameBatch {
    return this.batch
  }

  consume(count: number): void {
    this.consumed += count
  }
}

const GSO = 65_535
const ZEROS = 'descriptors of length zero'

export interface WorstCase extends Options {
  readonly unit: string
  readonly what: string
  /** Bytes of each frame that waits for the driver; absent: the driver sends. */
  readonly receive?: number
  readonly ends?: string
  readonly fill: (worst: Worst) => void
}

export const WORST_CASES: readonly WorstCase[] = [
  { unit: 'descriptors', what: ZEROS, fill: (w) => w.tables(0, 0, 0, 112) },
  { unit: 'descriptors', what: `${ZEROS}, packed`, packed: true, fill: (w) => w.tables(0, 0, 0, 112) },
  { unit: 'descriptors', what: ZEROS, receive: 60, fill: (w) => w.tables(0, 0, WRITE, 12) },
  { unit: 'descriptors', what: `${ZEROS}, packed`, packed: true, receive: 60, fill: (w) => w.tables(0, 0, WRITE, 12) },
  {
    unit: 'descriptors',
    what: 'chains that are too small, one after the other',
    mergeable: false,
    receive: 1500,
    fill: (w) => w.tables(1, 1, WRITE),
  },
  { unit: 'segments', what: 'of one byte', fill: (w) => w.tables(1, 64, 0) },
  { unit: 'segments', what: 'of one byte, received', receive: 900, fill: (w) => w.tables(1, 64, WRITE) },
  { unit: 'pieces', what: 'two a buffer, in an IOTLB', entryBytes: 64, fill: (w) => w.tables(62, 64, 0) },
  {
    unit: 'pieces',
    what: 'two a buffer, in an IOTLB, received',
    entryBytes: 64,
    receive: GSO - 4096,
    fill: (w) => w.tables(62, 62, WRITE),
  },
  { unit: 'pieces', what: 'two a buffer, in regions', regionBytes: 4096, fill: (w) => w.tables(60, 2048, 0) },
  {
    unit: 'pieces',
    what: 'of one byte',
    entryBytes: 1,
    ends: 'too-many-pieces',
    fill: (w) => w.singles(3900, () => BUFFERS, false),
  },
  {
    unit: 'pieces',
    what: 'of one byte, received',
    entryBytes: 1,
    receive: 3000,
    ends: 'too-many-pieces',
    fill: (w) => w.singles(3900, () => BUFFERS, true),
  },
  {
    unit: 'look-ups',
    what: 'each frame in another region than the one before',
    regionBytes: 4096,
    fill: (w) => w.singles(60, (i) => BUFFERS + 4096 * ((i * 251) % 500), false),
  },
  { unit: 'look-ups', what: 'frames in pages', entryBytes: 64, fill: (w) => w.tables(16, 64, 0) },
  { unit: 'pages', what: 'one for each byte', log: true, receive: 900, fill: (w) => w.tables(1, 4096, WRITE) },
  {
    unit: 'pages',
    what: 'by user address, in an IOTLB',
    log: true,
    entryBytes: 64,
    receive: GSO - 4096,
    fill: (w) => w.tables(62, 62, WRITE),
  },
  { unit: 'bytes', what: 'frames of 64 KiB', fill: (w) => w.singles(GSO, () => BUFFERS, false) },
  { unit: 'bytes', what: 'frames of 64 KiB, received', receive: GSO, fill: (w) => w.singles(GSO, () => BUFFERS, true) },
  { unit: 'frames', what: 'of one byte', fill: (w) => w.singles(13, () => BUFFERS, false) },
  { unit: 'frames', what: 'that fit nowhere', receive: GSO, fill: (w) => w.singles(12, () => BUFFERS, true) },
]

/** The round of a case over its filled ring, and what it receives from. */
export function worstRound(one: WorstCase) {
  const worst = new Worst(one)
  one.fill(worst)
  const source = new EndlessSource(one.receive ?? 0)
  const round =
    one.receive === undefined
      ? new TxRound({ ...worst.common, backend: new LoopbackBackend(), payload: 'copy' })
      : new RxRound({ ...worst.common, source, log: worst.log })
  return { worst, source, round }
}
