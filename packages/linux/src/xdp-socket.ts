import { refused, type VringError } from '@vring/layout'
import { MSG_DONTWAIT, SOCK_CLOEXEC } from './abi.ts'
import { closeFd } from './fd.ts'
import { checked, fixedBytes, type Libc, libc } from './libc.ts'
import { Mapping } from './mapping.ts'
import { createMemfd } from './memfd.ts'
import { systemErrnoName, systemError } from './system-error.ts'
import { XdpConsumerRing, XdpProducerRing, type XdpRingOffsets } from './xdp-ring.ts'

const AF_XDP = 44
const SOCK_RAW = 3
const SOL_XDP = 283
const XDP_MMAP_OFFSETS = 1
const XDP_RX_RING = 2
const XDP_TX_RING = 3
const XDP_UMEM_REG = 4
const XDP_UMEM_FILL_RING = 5
const XDP_UMEM_COMPLETION_RING = 6
const XDP_STATISTICS = 7
const XDP_OPTIONS = 8
/** Since Linux 6.18. */
const XDP_MAX_TX_SKB_BUDGET = 9
const XDP_OPTIONS_ZEROCOPY = 1
const XDP_PGOFF_RX_RING = 0
const XDP_PGOFF_TX_RING = 0x8000_0000
const XDP_UMEM_PGOFF_FILL_RING = 0x1_0000_0000
const XDP_UMEM_PGOFF_COMPLETION_RING = 0x1_8000_0000
const BIND_FLAGS = { auto: 0, copy: 1 << 1, 'zero-copy': 1 << 2 } as const
const XDP_USE_NEED_WAKEUP = 1 << 3
/** Since Linux 6.6. */
const XDP_USE_SG = 1 << 4
/** struct xdp_mmap_offsets: four rings (RX, TX, fill, completion) of four 64-bit offsets. */
const MMAP_OFFSETS_BYTES = 128
/** struct sockaddr_xdp. */
const SOCKADDR_XDP = { size: 16, flags: 2, ifindex: 4, queue: 8 } as const

/** Frames that one call may send in copy mode, where the kernel can be told: a batch. Otherwise 32. */
const TX_BUDGET = 64

/** Bytes that the kernel keeps free before a received frame. Source: Linux include/uapi/linux/bpf.h. */
export const XDP_PACKET_HEADROOM = 256

/** Of the options of an entry of the RX and TX ring: the frame goes on in the next entry. Source: Linux include/uapi/linux/if_xdp.h. */
export const XDP_PKT_CONTD = 1

export interface XdpSocketOptions {
  readonly ifindex: number
  /** Receive and transmit queue of the interface. Default 0. */
  readonly queue?: number
  /** `auto`: zero-copy if the driver has it, else copy. Default `auto`. */
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
}

/** What the kernel counted: frames that did not get through, and why. Source: struct xdp_statistics. */
export interface XdpSocketStatistics {
  readonly rxDropped: number
  readonly rxInvalidDescriptors: number
  readonly txInvalidDescriptors: number
  readonly rxRingFull: number
  readonly rxFillRingEmpty: number
  readonly txRingEmpty: number
}

const PAGE_BYTES = 4096
const MULTI_BUFFER_OFF = { multiBuffer: false, spareBytes: 0 } as const

const BIND_REASONS: Readonly<Record<string, string>> = {
  EBUSY: 'another socket has this queue',
  EINVAL: 'the interface has no such queue, or its driver not this mode',
  ENODEV: 'no such interface',
  ENETDOWN: 'the interface is down',
  EOPNOTSUPP: 'the driver has not this mode',
}

/**
 * An AF_XDP socket with a UMEM of its own: the memory that its frames lie in, and four rings over mapped memory.
 *
 * ```
 *   fill  -> kernel -> RX            frames in: free chunks go in, filled ones come back
 *   TX    -> kernel -> completion    frames out: filled chunks go in, free ones come back
 * ```
 */
export class XdpSocket {
  readonly fd: number
  /** The mode that was granted. */
  readonly mode: 'copy' | 'zero-copy'
  /** The UMEM, and the spare memory after it; addresses in ring entries are byte offsets into it. */
  readonly umem: ArrayBuffer
  readonly chunks: number
  readonly chunkBytes: number
  readonly fill: XdpProducerRing
  readonly completion: XdpConsumerRing
  readonly rx: XdpConsumerRing
  readonly tx: XdpProducerRing
  readonly #libc: Libc = libc()
  readonly #umem: Mapping
  #closed = false

  private constructor(fd: number, umem: Mapping, options: Required<XdpSocketOptions>, mappings: Mapping[]) {
    this.fd = fd
    this.#umem = umem
    this.umem = umem.buffer
    this.chunks = options.chunks
    this.chunkBytes = options.chunkBytes
    registerUmem(fd, umem, options)
    for (const ring of [XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING, XDP_TX_RING])
      setOption(fd, ring, Uint32Array.of(options.ringEntries), `${options.ringEntries} entries`)
    raiseTxBudget(fd, Math.min(options.ringEntries, TX_BUDGET))
    const offsets = mmapOffsets(fd)
    const map = (offset: number, ring: XdpRingOffsets, entryBytes: number): Mapping => {
      const length = ring.desc + options.ringEntries * entryBytes
      const mapping = Mapping.of(fd, { length, offset, populate: true })
      mappings.push(mapping)
      return mapping
    }
    const [rx, tx, fill, completion] = offsets as [XdpRingOffsets, XdpRingOffsets, XdpRingOffsets, XdpRingOffsets]
    const entries = options.ringEntries
    this.rx = new XdpConsumerRing(map(XDP_PGOFF_RX_RING, rx, 16), rx, entries, 16)
    this.tx = new XdpProducerRing(map(XDP_PGOFF_TX_RING, tx, 16), tx, entries, 16)
    this.fill = new XdpProducerRing(map(XDP_UMEM_PGOFF_FILL_RING, fill, 8), fill, entries, 8)
    this.completion = new XdpConsumerRing(map(XDP_UMEM_PGOFF_COMPLETION_RING, completion, 8), completion, entries, 8)
    bindSocket(fd, options)
    this.mode = (getOption(fd, XDP_OPTIONS, 4)[0]! & XDP_OPTIONS_ZEROCOPY) !== 0 ? 'zero-copy' : 'copy'
  }

  /**
   * Opens a socket on a queue of an interface. Frames arrive once an XDP program redirects them to it.
   *
   * @throws VringError ERR_OUT_OF_RANGE for a size; ERR_SYSTEM: EBUSY, EINVAL, ENODEV, ENETDOWN, EOPNOTSUPP, EPERM
   */
  static open(options: XdpSocketOptions): XdpSocket {
    const all = {
      queue: 0,
      mode: 'auto',
      chunks: 4096,
      chunkBytes: 2048,
      ringEntries: 2048,
      ...MULTI_BUFFER_OFF,
      ...options,
    } as const
    checkSizes(all)
    const umem = createUmem(all.chunks * all.chunkBytes + Math.ceil(all.spareBytes / PAGE_BYTES) * PAGE_BYTES)
    const mappings: Mapping[] = []
    let fd = -1
    try {
      fd = checked('socket', (c) => c.socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), 'AF_XDP')
      return new XdpSocket(fd, umem, all, mappings)
    } catch (error) {
      for (const mapping of mappings) mapping.unmap()
      closeFd(fd)
      umem.unmap()
      throw error
    }
  }

  /** Tells the kernel to send what is in the TX ring, in copy mode 32 or 64 frames of it. Returns 0 or a negative errno; EAGAIN: there is more. */
  wakeTx(): number {
    const result = this.#libc.sendto(this.fd, null, 0, MSG_DONTWAIT, null, 0)
    return result < 0 ? -this.#libc.errno() : 0
  }

  /** Tells the driver to look at the fill ring. Returns 0 or a negative errno. */
  wakeRx(): number {
    const result = this.#libc.recvfrom(this.fd, null, 0, MSG_DONTWAIT, null, null)
    return result < 0 ? -this.#libc.errno() : 0
  }

  /** @throws VringError ERR_SYSTEM */
  statistics(): XdpSocketStatistics {
    const counters = new BigUint64Array(getOption(this.fd, XDP_STATISTICS, 48).buffer)
    return {
      rxDropped: Number(counters[0]),
      rxInvalidDescriptors: Number(counters[1]),
      txInvalidDescriptors: Number(counters[2]),
      rxRingFull: Number(counters[3]),
      rxFillRingEmpty: Number(counters[4]),
      txRingEmpty: Number(counters[5]),
    }
  }

  /** Closes the socket, then unmaps rings and UMEM: no view of it may be used any more. A second call does nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeFd(this.fd)
    for (const ring of [this.rx, this.tx, this.fill, this.completion]) ring.unmap()
    this.#umem.unmap()
  }
}

function checkSizes({ chunks, chunkBytes, ringEntries, queue, spareBytes }: Required<XdpSocketOptions>): void {
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
}

function createUmem(bytes: number): Mapping {
  const fd = createMemfd('vring-umem', bytes)
  try {
    return Mapping.of(fd, { length: bytes, populate: true })
  } finally {
    closeFd(fd)
  }
}

/** struct xdp_umem_reg: address, length, chunk size, headroom, flags. */
function registerUmem(fd: number, umem: Mapping, { chunks, chunkBytes }: Required<XdpSocketOptions>): void {
  const bytes = chunks * chunkBytes
  const registration = new BigUint64Array([umem.address, BigInt(bytes), BigInt(chunkBytes), 0n])
  setOption(fd, XDP_UMEM_REG, registration, `UMEM of ${bytes} bytes`)
}

function bindSocket(fd: number, { ifindex, queue, mode, multiBuffer }: Required<XdpSocketOptions>): void {
  const address = fixedBytes(SOCKADDR_XDP.size)
  const view = new DataView(address.buffer)
  view.setUint16(0, AF_XDP, true)
  const pieces = multiBuffer ? XDP_USE_SG : 0
  view.setUint16(SOCKADDR_XDP.flags, BIND_FLAGS[mode] | XDP_USE_NEED_WAKEUP | pieces, true)
  view.setUint32(SOCKADDR_XDP.ifindex, ifindex, true)
  view.setUint32(SOCKADDR_XDP.queue, queue, true)
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

function getOption(fd: number, option: number, bytes: number): Uint8Array {
  const value = fixedBytes(bytes)
  const length = fixedBytes(4)
  new DataView(length.buffer).setUint32(0, bytes, true)
  checked('getsockopt', (c) => c.getsockopt(fd, SOL_XDP, option, value, length), `SOL_XDP ${option}`)
  return value
}

/** Offsets of the RX, TX, fill and completion ring, in this order. */
function mmapOffsets(fd: number): XdpRingOffsets[] {
  const words = new BigUint64Array(getOption(fd, XDP_MMAP_OFFSETS, MMAP_OFFSETS_BYTES).buffer)
  return [0, 4, 8, 12].map((first) => ({
    producer: Number(words[first]),
    consumer: Number(words[first + 1]),
    desc: Number(words[first + 2]),
    flags: Number(words[first + 3]),
  }))
}
