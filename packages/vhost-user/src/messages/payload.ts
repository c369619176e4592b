import { refused } from '@vring/layout'

/** How one kind of payload lies in a message. All fields are little-endian, as the hosts this runs on are. */
export interface PayloadCodec<T> {
  /** For people: `vring state`. */
  readonly name: string
  /** Bytes, least and most. A message of another size is refused before it is decoded. */
  readonly bytes: readonly [least: number, most: number]
  /** @throws VringError ERR_PROTOCOL for a field out of range */
  decode(view: DataView): T
  encode(value: T): Uint8Array
}

/** Addresses and sizes are JavaScript numbers: 2^53 and above is out of range by definition. */
function number64(view: DataView, offset: number, field: string): number {
  const value = view.getBigUint64(offset, true)
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw refused('ERR_OUT_OF_RANGE', field, value, 'below 2^53')
  return Number(value)
}

function build(bytes: number, write: (view: DataView) => void): Uint8Array {
  const view = new DataView(new ArrayBuffer(bytes))
  write(view)
  return new Uint8Array(view.buffer)
}

function fixed<T>(
  name: string,
  bytes: number,
  decode: (view: DataView) => T,
  write: (view: DataView, value: T) => void,
): PayloadCodec<T> {
  return { name, bytes: [bytes, bytes], decode, encode: (value) => build(bytes, (view) => write(view, value)) }
}

export const none: PayloadCodec<null> = fixed(
  'none',
  0,
  () => null,
  () => {},
)

/** A 64-bit word: feature bits, a count, or an acknowledgement (0: done). */
export const u64: PayloadCodec<bigint> = fixed(
  'u64',
  8,
  (view) => view.getBigUint64(0, true),
  (view, value) => view.setBigUint64(0, value, true),
)

/** `struct vhost_vring_state`: a queue's index and one number of it. */
export interface VringStatePayload {
  readonly index: number
  readonly num: number
}

export const vringState: PayloadCodec<VringStatePayload> = fixed(
  'vring state',
  8,
  (view) => ({ index: view.getUint32(0, true), num: view.getUint32(4, true) }),
  (view, { index, num }) => {
    view.setUint32(0, index, true)
    view.setUint32(4, num, true)
  },
)

/** The device's writes to this ring are logged at `log`. Source: VHOST_VRING_F_LOG, bit 0 of flags. */
export const VRING_F_LOG = 1

/** `struct vhost_vring_addr`: where the areas are, in the frontend's address space (IOVAs when a device IOTLB is on). */
export interface VringAddrPayload {
  readonly index: number
  readonly flags: number
  readonly desc: number
  readonly used: number
  readonly avail: number
  /** Guest-physical address of the used ring, for the log; 0 without {@link VRING_F_LOG}, whatever its sender left there. */
  readonly log: number
}

export const vringAddr: PayloadCodec<VringAddrPayload> = fixed(
  'vring address',
  40,
  (view) => ({
    index: view.getUint32(0, true),
    flags: view.getUint32(4, true),
    desc: number64(view, 8, 'desc'),
    used: number64(view, 16, 'used'),
    avail: number64(view, 24, 'avail'),
    // Means something when the flag is set only: virtio_uml sends all ones.
    log: (view.getUint32(4, true) & VRING_F_LOG) === 0 ? 0 : number64(view, 32, 'log'),
  }),
  (view, value) => {
    view.setUint32(0, value.index, true)
    view.setUint32(4, value.flags, true)
    view.setBigUint64(8, BigInt(value.desc), true)
    view.setBigUint64(16, BigInt(value.used), true)
    view.setBigUint64(24, BigInt(value.avail), true)
    view.setBigUint64(32, BigInt(value.log), true)
  },
)

/** A queue's index and whether a descriptor comes with it (bit 8 of the word: none does). */
export interface VringFdPayload {
  readonly index: number
  readonly hasFd: boolean
}

const VRING_NO_FD = 0x100n

export const vringFd: PayloadCodec<VringFdPayload> = fixed(
  'vring descriptor',
  8,
  (view) => {
    const value = view.getBigUint64(0, true)
    if (value > 0x1ffn) throw refused('ERR_PROTOCOL', 'vring descriptor', value, 'bits 0 to 8')
    return { index: Number(value & 0xffn), hasFd: (value & VRING_NO_FD) === 0n }
  },
  (view, { index, hasFd }) => view.setBigUint64(0, BigInt(index) | (hasFd ? 0n : VRING_NO_FD), true),
)

/** A piece of guest memory: where the guest, the frontend and the file descriptor have it. */
export interface MemoryRegion {
  readonly guestAddress: number
  /** Bytes. */
  readonly size: number
  /** In the frontend's address space. */
  readonly userAddress: number
  /** In the file, in bytes. */
  readonly mmapOffset: number
}

const REGION_BYTES = 32
/** Regions in one memory table. Source: VHOST_MEMORY_BASELINE_NREGIONS. */
export const MEMORY_TABLE_REGIONS_MAX = 8

function decodeRegion(view: DataView, at: number): MemoryRegion {
  return {
    guestAddress: number64(view, at, 'guest address'),
    size: number64(view, at + 8, 'size'),
    userAddress: number64(view, at + 16, 'user address'),
    mmapOffset: number64(view, at + 24, 'mmap offset'),
  }
}

function encodeRegion(view: DataView, at: number, region: MemoryRegion): void {
  view.setBigUint64(at, BigInt(region.guestAddress), true)
  view.setBigUint64(at + 8, BigInt(region.size), true)
  view.setBigUint64(at + 16, BigInt(region.userAddress), true)
  view.setBigUint64(at + 24, BigInt(region.mmapOffset), true)
}

export const memoryTable: PayloadCodec<readonly MemoryRegion[]> = {
  name: 'memory table',
  bytes: [8, 8 + REGION_BYTES * MEMORY_TABLE_REGIONS_MAX],
  decode(view) {
    const count = view.getUint32(0, true)
    // More may follow: virtio_uml sends the whole structure, whatever the number of its regions is.
    const room = Math.floor((view.byteLength - 8) / REGION_BYTES)
    if (count > room) throw refused('ERR_PROTOCOL', 'regions', count, `at most ${room}, as the message's size says`)
    return Array.from({ length: count }, (_, index) => decodeRegion(view, 8 + REGION_BYTES * index))
  },
  encode(regions) {
    return build(8 + REGION_BYTES * regions.length, (view) => {
      view.setUint32(0, regions.length, true)
      for (const [index, region] of regions.entries()) encodeRegion(view, 8 + REGION_BYTES * index, region)
    })
  },
}

/** One region after 8 bytes of padding. */
export const singleRegion: PayloadCodec<MemoryRegion> = fixed(
  'memory region',
  8 + REGION_BYTES,
  (view) => decodeRegion(view, 8),
  (view, region) => encodeRegion(view, 8, region),
)

/** The dirty log's place in the file that comes with it. */
export interface LogPayload {
  /** Bytes. */
  readonly size: number
  /** Bytes. */
  readonly offset: number
}

export const log: PayloadCodec<LogPayload> = fixed(
  'log',
  16,
  (view) => ({ size: number64(view, 0, 'log size'), offset: number64(view, 8, 'log offset') }),
  (view, { size, offset }) => {
    view.setBigUint64(0, BigInt(size), true)
    view.setBigUint64(8, BigInt(offset), true)
  },
)

/** Source: Linux `struct vhost_iotlb_msg`, VHOST_IOTLB_*. */
export const IOTLB_MISS = 1
export const IOTLB_UPDATE = 2
export const IOTLB_INVALIDATE = 3
export const IOTLB_ACCESS_FAIL = 4

/** `struct vhost_iotlb_msg`. */
export interface IotlbPayload {
  readonly iova: number
  /** Bytes. */
  readonly size: number
  /** Of an update; 0 in messages of other types, whatever their sender left there. */
  readonly userAddress: number
  /** Bit set: 1 read, 2 write. */
  readonly permission: number
  /** IOTLB_MISS, IOTLB_UPDATE, IOTLB_INVALIDATE or IOTLB_ACCESS_FAIL. */
  readonly type: number
}

export const iotlb: PayloadCodec<IotlbPayload> = fixed(
  'IOTLB message',
  32,
  (view) => ({
    iova: number64(view, 0, 'iova'),
    // "Everything" is a size of 2^64 - 1: rounded here, and cut by the IOTLB at its last address.
    size: Number(view.getBigUint64(8, true)),
    // Only updates have one. QEMU sends what was on its stack with an invalidation, and that can be any 64-bit number.
    userAddress: view.getUint8(25) === IOTLB_UPDATE ? number64(view, 16, 'user address') : 0,
    permission: view.getUint8(24),
    type: view.getUint8(25),
  }),
  (view, value) => {
    view.setBigUint64(0, BigInt(value.iova), true)
    view.setBigUint64(8, value.size >= 2 ** 64 ? 2n ** 64n - 1n : BigInt(value.size), true)
    view.setBigUint64(16, BigInt(value.userAddress), true)
    view.setUint8(24, value.permission)
    view.setUint8(25, value.type)
  },
)

/** Bytes of configuration space that one message carries at most. Source: VHOST_USER_MAX_CONFIG_SIZE. */
export const CONFIG_BYTES_MAX = 256

/** Who writes the configuration space: the driver, or a frontend that restores a migrated device. */
export const CONFIG_FLAG_MIGRATION = 1

/** A part of the device's configuration space. */
export interface ConfigPayload {
  /** Bytes from the beginning of the space. */
  readonly offset: number
  /** 0, or {@link CONFIG_FLAG_MIGRATION}. */
  readonly flags: number
  /** What stands there; in a request that reads, as many bytes as are asked for. */
  readonly bytes: Uint8Array
}

const CONFIG_HEADER_BYTES = 12

export const config: PayloadCodec<ConfigPayload> = {
  name: 'configuration',
  bytes: [CONFIG_HEADER_BYTES, CONFIG_HEADER_BYTES + CONFIG_BYTES_MAX],
  decode(view) {
    const size = view.getUint32(4, true)
    const room = view.byteLength - CONFIG_HEADER_BYTES
    if (size > room)
      throw refused('ERR_PROTOCOL', 'configuration size', size, `at most ${room}, as the message's size says`)
    return {
      offset: view.getUint32(0, true),
      flags: view.getUint32(8, true),
      bytes: new Uint8Array(view.buffer, view.byteOffset + CONFIG_HEADER_BYTES, size).slice(),
    }
  },
  encode({ offset, flags, bytes }) {
    return build(CONFIG_HEADER_BYTES + bytes.length, (view) => {
      view.setUint32(0, offset, true)
      view.setUint32(4, bytes.length, true)
      view.setUint32(8, flags, true)
      new Uint8Array(view.buffer).set(bytes, CONFIG_HEADER_BYTES)
    })
  },
}

/** The answer to GET_CONFIG; null, a payload of no bytes: it can't be read. */
export const configReply: PayloadCodec<ConfigPayload | null> = {
  name: 'configuration',
  bytes: [0, config.bytes[1]],
  decode(view) {
    if (view.byteLength === 0) return null
    if (view.byteLength < CONFIG_HEADER_BYTES)
      throw refused('ERR_PROTOCOL', 'configuration bytes', view.byteLength, `0, or at least ${CONFIG_HEADER_BYTES}`)
    return config.decode(view)
  },
  encode: (value) => (value === null ? new Uint8Array(0) : config.encode(value)),
}

/** The area in which a backend notes requests that it has not finished. */
export interface InflightPayload {
  /** Bytes of the whole area. */
  readonly size: number
  /** In the file that comes with it, in bytes. */
  readonly offset: number
  readonly queueCount: number
  /** Entries of each queue. */
  readonly queueSize: number
}

/** The four fields; C programs send the padding of their structure, too. */
const INFLIGHT_BYTES = [20, 24] as const

export const inflight: PayloadCodec<InflightPayload> = {
  name: 'inflight area',
  bytes: INFLIGHT_BYTES,
  decode: (view) => ({
    size: number64(view, 0, 'inflight size'),
    offset: number64(view, 8, 'inflight offset'),
    queueCount: view.getUint16(16, true),
    queueSize: view.getUint16(18, true),
  }),
  encode: ({ size, offset, queueCount, queueSize }) =>
    build(INFLIGHT_BYTES[1], (view) => {
      view.setBigUint64(0, BigInt(size), true)
      view.setBigUint64(8, BigInt(offset), true)
      view.setUint16(16, queueCount, true)
      view.setUint16(18, queueSize, true)
    }),
}

/** Which way a device's state goes over the descriptor that comes with SET_DEVICE_STATE_FD. */
export const DEVICE_STATE_SAVE = 0
export const DEVICE_STATE_LOAD = 1

export interface DeviceStatePayload {
  /** {@link DEVICE_STATE_SAVE} or {@link DEVICE_STATE_LOAD}. */
  readonly direction: number
  /** 0: the device and all of its rings are stopped. */
  readonly phase: number
}

export const deviceState: PayloadCodec<DeviceStatePayload> = fixed(
  'device state',
  8,
  (view) => ({ direction: view.getUint32(0, true), phase: view.getUint32(4, true) }),
  (view, { direction, phase }) => {
    view.setUint32(0, direction, true)
    view.setUint32(4, phase, true)
  },
)
