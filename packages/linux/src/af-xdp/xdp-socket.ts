import { refused, type VringError } from '@vring/layout'
import { SOCK_CLOEXEC } from '../abi.ts'
import { closeFd } from '../descriptors/fd.ts'
import { checked, fixedBytes, libc } from '../libc.ts'
import { Mapping, WINDOW_BYTES_MAX, type WindowHandle } from '../memory/mapping.ts'
import { createMemfd } from '../memory/memfd.ts'
import { systemErrnoName, systemError } from '../system-error.ts'
import type { XdpRingOffsets } from './xdp-ring.ts'
import { getXdpOption, SOL_XDP } from './xdp-socket-option.ts'

const AF_XDP = 44
const SOCK_RAW = 3
const XDP_MMAP_OFFSETS = 1
const XDP_RX_RING = 2
const XDP_TX_RING = 3
const XDP_UMEM_REG = 4
const XDP_UMEM_FILL_RING = 5
const XDP_UMEM_COMPLETION_RING = 6
const XDP_OPTIONS = 8
/** Since Linux 6.18. */
const XDP_MAX_TX_SKB_BUDGET = 9
const XDP_OPTIONS_ZEROCOPY = 1
const XDP_PGOFF_RX_RING = 0
const XDP_PGOFF_TX_RING = 0x8000_0000
const XDP_UMEM_PGOFF_FILL_RING = 0x1_0000_0000
const XDP_UMEM_PGOFF_COMPLETION_RING = 0x1_8000_0000
const BIND_FLAGS = { auto: 0, copy: 1 << 1, 'zero-copy': 1 << 2 } as const
const XDP_SHARED_UMEM = 1
const XDP_USE_NEED_WAKEUP = 1 << 3
/** Since Linux 6.6. */
const XDP_USE_SG = 1 << 4
/** struct xdp_mmap_offsets: four rings (RX, TX, fill, completion) of four 64-bit offsets. */
const MMAP_OFFSETS_BYTES = 128
/** struct sockaddr_xdp. */
const SOCKADDR_XDP = { size: 16, flags: 2, ifindex: 4, queue: 8, sharedFd: 12 } as const

/** Frames that one call may send in copy mode, where the kernel can be told: a batch. Otherwise 32. */
const TX_BUDGET = 64

/** Bytes that the kernel keeps free before a received frame. Source: Linux include/uapi/linux/bpf.h. */
export const XDP_PACKET_HEADROOM = 256

/**
 * Of the options of an entry of the RX and TX ring: the frame goes on in the next entry. Source: Linux
 * include/uapi/linux/if_xdp.h.
 */
export const XDP_PKT_CONTD = 1

export interface XdpSocketOptions {
  readonly ifindex: number
  /** Receive and transmit queue of the interface. Default 0. */
  readonly queue?: number
  /**
   * `auto`: zero-copy if the driver has it, else copy. With a shared UMEM it is that of the first socket. Default
   * `auto`.
   */
  readonly mode?: keyof typeof BIND_FLAGS
  /** Chunks of the UMEM. A multiple of 2. Default 4096. */
  readonly chunks?: number
  /** Bytes of one chunk: 2048 or 4096. Default 2048. */
  readonly chunkBytes?: number
  /** Entries of each ring; a power of two. Default 2048. */
  readonly ringEntries?: number
  /** Frames may lie in several chunks, an entry each ({@link XDP_PKT_CONTD}); Linux 6.6 or later. Default false. */
  readonly multiBuffer?: boolean
  /** Memory after the chunks, in the same buffer, of which the kernel knows nothing, in bytes. Default 0. */
  readonly spareBytes?: number
  /**
   * A socket of another queue of the interface, whose UMEM this one has too (XDP_SHARED_UMEM), and its sizes; Linux
   * 5.10 or later.
   */
  readonly umemOf?: XdpSocket
}

/** A socket as plain data: any thread of the process can make an `XdpSocketView` of it. */
export interface XdpSocketHandle {
  readonly fd: number
  /** The mode that was granted. */
  readonly mode: 'copy' | 'zero-copy'
  readonly ringEntries: number
  /** The UMEM, and the spare memory after it. */
  readonly umem: WindowHandle
  readonly rx: XdpRingHandle
  readonly tx: XdpRingHandle
  readonly fill: XdpRingHandle
  readonly completion: XdpRingHandle
}

export interface XdpRingHandle {
  readonly window: WindowHandle
  readonly offsets: XdpRingOffsets
}

/** Bytes of an entry of each ring: RX and TX; fill and completion. */
export const XDP_DESC_BYTES = 16
export const XDP_ADDRESS_BYTES = 8

const PAGE_BYTES = 4096

const BIND_REASONS: Readonly<Record<string, string>> = {
  EBUSY: 'another socket has this queue',
  EINVAL: 'the interface has no such queue, or its driver not this mode',
  ENODEV: 'no such interface',
  ENETDOWN: 'the interface is down',
  EOPNOTSUPP: 'the driver has not this mode',
}

type Sizes = Required<Omit<XdpSocketOptions, 'umemOf'>>

/** The memory of sockets; the last one that has it gives it back. */
interface Umem {
  readonly mapping: Mapping
  readonly sizes: Sizes
  users: number
}

/**
 * An AF_XDP socket: the memory that its frames lie in, which sockets of other queues may have too, and four rings over
 * mapped memory.
 *
 * ```
 *   fill  -> kernel -> RX            frames in: free chunks go in, filled ones come back
 *   TX    -> kernel -> completion    frames out: filled chunks go in, free ones come back
 * ```
 *
 * This is what is opened and closed; an {@link XdpSocketView} of its handle is what moves frames.
 */
export class XdpSocket {
  readonly handle: XdpSocketHandle
  readonly #umem: Umem
  readonly #mappings: readonly Mapping[]
  #closed = false

  private constructor(handle: XdpSocketHandle, umem: Umem, mappings: readonly Mapping[]) {
    this.handle = handle
    this.#umem = umem
    this.#mappings = mappings
    umem.users++
  }

  /**
   * Opens a socket on a queue of an interface. Frames arrive once an XDP program redirects them to it.
   *
   * @throws VringError ERR_OUT_OF_RANGE for a size; ERR_SYSTEM: EBUSY, EINVAL, ENODEV, ENETDOWN, EOPNOTSUPP, EPERM
   */
  static open({ umemOf, ...options }: XdpSocketOptions): XdpSocket {
    const { ifindex, queue = 0 } = options
    const first = umemOf === undefined ? null : umemOf.#umem
    const sizes = { ...DEFAULTS, ...options, ...first?.sizes, ifindex, queue } as const
    checkSizes(sizes)
    const umem = first ?? { mapping: createUmem(sizes), sizes, users: 0 }
    const mappings: Mapping[] = []
    let fd = -1
    try {
      fd = checked('socket', (c) => c.socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), 'AF_XDP')
      if (first === null) registerUmem(fd, umem.mapping, sizes)
      const rings = createRings(fd, sizes, mappings)
      bindSocket(fd, sizes, umemOf === undefined ? null : umemOf.handle.fd)
      const zeroCopy = (getXdpOption(fd, XDP_OPTIONS, 4)[0]! & XDP_OPTIONS_ZEROCOPY) !== 0
      const mode = zeroCopy ? 'zero-copy' : 'copy'
      const { ringEntries } = sizes
      return new XdpSocket({ fd, mode, ringEntries, umem: windowOf(umem.mapping), ...rings }, umem, mappings)
    } catch (error) {
      closeFd(fd)
      for (const mapping of mappings) mapping.unmap()
      if (first === null) umem.mapping.unmap()
      throw error
    }
  }

  /**
   * Closes the socket, then unmaps its rings, and the UMEM with the last socket that has it. No view of it may be used
   * any more. A second call does nothing.
   */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeFd(this.handle.fd)
    for (const mapping of this.#mappings) mapping.unmap()
    if (--this.#umem.users === 0) this.#umem.mapping.unmap()
  }
}

const DEFAULTS = {
  mode: 'auto',
  chunks: 4096,
  chunkBytes: 2048,
  ringEntries: 2048,
  multiBuffer: false,
  spareBytes: 0,
} as const

function createRings(
  fd: number,
  { ringEntries }: Sizes,
  mappings: Mapping[],
): Pick<XdpSocketHandle, 'rx' | 'tx' | 'fill' | 'completion'> {
  for (const ring of [XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING, XDP_TX_RING])
    setOption(fd, ring, Uint32Array.of(ringEntries), `${ringEntries} entries`)
  raiseTxBudget(fd, Math.min(ringEntries, TX_BUDGET))
  const map = (offset: number, offsets: XdpRingOffsets, entryBytes: number): XdpRingHandle => {
    const mapping = Mapping.of(fd, { length: offsets.desc + ringEntries * entryBytes, offset, populate: true })
    mappings.push(mapping)
    return { window: windowOf(mapping), offsets }
  }
  const [rx, tx, fill, completion] = mmapOffsets(fd)
  return {
    rx: map(XDP_PGOFF_RX_RING, rx!, XDP_DESC_BYTES),
    tx: map(XDP_PGOFF_TX_RING, tx!, XDP_DESC_BYTES),
    fill: map(XDP_UMEM_PGOFF_FILL_RING, fill!, XDP_ADDRESS_BYTES),
    completion: map(XDP_UMEM_PGOFF_COMPLETION_RING, completion!, XDP_ADDRESS_BYTES),
  }
}

function windowOf({ windows }: Mapping): WindowHandle {
  return windows[0]!.handle
}

function checkSizes({ chunks, chunkBytes, ringEntries, queue, spareBytes }: Sizes): void {
  if (chunkBytes !== 2048 && chunkBytes !== 4096)
    throw refused('ERR_OUT_OF_RANGE', 'chunkBytes', chunkBytes, '2048 or 4096')
  if (!(Number.isInteger(chunks) && chunks >= 2 && chunks <= 2 ** 18 && chunks % 2 === 0))
    throw refused('ERR_OUT_OF_RANGE', 'chunks', chunks, 'a multiple of 2 up to 262144')
  if (
    !(
      Number.isInteger(ringEntries) &&
      ringEntries >= 2 &&
      ringEntries <= 32768 &&
      (ringEntries & (ringEntries - 1)) === 0
    )
  )
    throw refused('ERR_OUT_OF_RANGE', 'ringEntries', ringEntries, 'a power of two from 2 to 32768')
  if (!(Number.isInteger(queue) && queue >= 0 && queue < 65_536))
    throw refused('ERR_OUT_OF_RANGE', 'queue', queue, '0 .. 65535')
  if (!(Number.isInteger(spareBytes) && spareBytes >= 0 && spareBytes <= 2 ** 28))
    throw refused('ERR_OUT_OF_RANGE', 'spareBytes', spareBytes, '0 .. 268435456')
  const room = WINDOW_BYTES_MAX - spareBytes
  if (chunks * chunkBytes > room)
    throw refused(
      'ERR_OUT_OF_RANGE',
      'chunks',
      chunks,
      `at most ${Math.floor(room / chunkBytes)} of ${chunkBytes} bytes`,
    )
}

function createUmem({ chunks, chunkBytes, spareBytes }: Sizes): Mapping {
  const bytes = chunks * chunkBytes + Math.ceil(spareBytes / PAGE_BYTES) * PAGE_BYTES
  const fd = createMemfd('vring-umem', bytes)
  try {
    return Mapping.of(fd, { length: bytes, populate: true })
  } finally {
    closeFd(fd)
  }
}

/** struct xdp_umem_reg: address, length, chunk size, headroom, flags. */
function registerUmem(fd: number, umem: Mapping, { chunks, chunkBytes }: Sizes): void {
  const bytes = chunks * chunkBytes
  const registration = new BigUint64Array([umem.address, BigInt(bytes), BigInt(chunkBytes), 0n])
  const counted = 'counted as locked memory (RLIMIT_MEMLOCK) without CAP_IPC_LOCK'
  setOption(fd, XDP_UMEM_REG, registration, `UMEM of ${bytes} bytes, ${counted}`)
}

function bindSocket(fd: number, { ifindex, queue, mode, multiBuffer }: Sizes, sharedFd: number | null): void {
  const address = fixedBytes(SOCKADDR_XDP.size)
  const view = new DataView(address.buffer)
  view.setUint16(0, AF_XDP, true)
  // One that shares a UMEM may not say more: what the first one said is what it gets.
  const flags = BIND_FLAGS[mode] | XDP_USE_NEED_WAKEUP | (multiBuffer ? XDP_USE_SG : 0)
  view.setUint16(SOCKADDR_XDP.flags, sharedFd === null ? flags : XDP_SHARED_UMEM, true)
  view.setUint32(SOCKADDR_XDP.ifindex, ifindex, true)
  view.setUint32(SOCKADDR_XDP.queue, queue, true)
  view.setUint32(SOCKADDR_XDP.sharedFd, sharedFd ?? 0, true)
  const asked = multiBuffer ? `${mode}, frames of several chunks (Linux 6.6 or later)` : mode
  if (libc().bind(fd, address, address.length) !== 0) throw bindError(libc().errno(), ifindex, queue, asked)
}

function bindError(errno: number, ifindex: number, queue: number, mode: string): VringError {
  const reason = BIND_REASONS[systemErrnoName(errno)]
  const what = `AF_XDP, interface ${ifindex}, queue ${queue}, mode ${mode}`
  return systemError('bind', errno, reason === undefined ? what : `${what}: ${reason}`)
}

function setOption(fd: number, option: number, value: Uint32Array | BigUint64Array, what: string): void {
  const bytes = fixedBytes(value.byteLength)
  bytes.set(new Uint8Array(value.buffer))
  checked('setsockopt', (c) => c.setsockopt(fd, SOL_XDP, option, bytes, bytes.length), `SOL_XDP ${option}, ${what}`)
}

/** Has one call send more than 32 frames. An optimisation: older kernels refuse, and a ring that is shorter. */
function raiseTxBudget(fd: number, frames: number): void {
  const bytes = fixedBytes(4)
  new DataView(bytes.buffer).setUint32(0, frames, true)
  libc().setsockopt(fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, bytes, bytes.length)
}

/** Offsets of the RX, TX, fill and completion ring, in this order. */
function mmapOffsets(fd: number): XdpRingOffsets[] {
  const words = new BigUint64Array(getXdpOption(fd, XDP_MMAP_OFFSETS, MMAP_OFFSETS_BYTES).buffer)
  return [0, 4, 8, 12].map((first) => ({
    producer: Number(words[first]),
    consumer: Number(words[first + 1]),
    desc: Number(words[first + 2]),
    flags: Number(words[first + 3]),
  }))
}
