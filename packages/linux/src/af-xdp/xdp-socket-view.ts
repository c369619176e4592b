import { MSG_DONTWAIT } from '../abi.ts'
import { type Libc, libc } from '../libc.ts'
import { openWindow } from '../memory/mapping.ts'
import { XdpConsumerRing, XdpProducerRing } from './xdp-ring.ts'
import { XDP_ADDRESS_BYTES, XDP_DESC_BYTES, type XdpRingHandle, type XdpSocketHandle } from './xdp-socket.ts'
import { getXdpOption } from './xdp-socket-option.ts'

const XDP_STATISTICS = 7

/** What the kernel counted: frames that did not get through, and why. Source: struct xdp_statistics. */
export interface XdpSocketStatistics {
  readonly rxDropped: number
  readonly rxInvalidDescriptors: number
  readonly txInvalidDescriptors: number
  readonly rxRingFull: number
  readonly rxFillRingEmpty: number
  readonly txRingEmpty: number
}

/**
 * The rings and the memory of an AF_XDP socket as one thread sees them. Several threads may have a view of one socket.
 * One of them at a time uses RX and fill ring, one TX and completion ring, and each begins with `follow` of its rings.
 */
export class XdpSocketView {
  readonly fd: number
  /** The mode that was granted. */
  readonly mode: 'copy' | 'zero-copy'
  /** The UMEM, and the spare memory after it; addresses in ring entries are byte offsets into it. */
  readonly umem: ArrayBuffer
  readonly rx: XdpConsumerRing
  readonly tx: XdpProducerRing
  readonly fill: XdpProducerRing
  readonly completion: XdpConsumerRing
  readonly #libc: Libc = libc()

  /** @param umem the memory, where this thread has a buffer over it already: that of a socket that shares it */
  constructor(handle: XdpSocketHandle, umem: ArrayBuffer = openWindow(handle.umem)) {
    const { fd, mode, ringEntries: entries, rx, tx, fill, completion } = handle
    this.fd = fd
    this.mode = mode
    this.umem = umem
    const buffer = ({ window }: XdpRingHandle): ArrayBuffer => openWindow(window)
    this.rx = new XdpConsumerRing(buffer(rx), rx.offsets, entries, XDP_DESC_BYTES)
    this.tx = new XdpProducerRing(buffer(tx), tx.offsets, entries, XDP_DESC_BYTES)
    this.fill = new XdpProducerRing(buffer(fill), fill.offsets, entries, XDP_ADDRESS_BYTES)
    this.completion = new XdpConsumerRing(buffer(completion), completion.offsets, entries, XDP_ADDRESS_BYTES)
  }

  /**
   * Tells the kernel to send what is in the TX ring, in copy mode 32 or 64 frames of it. Returns 0 or a negative errno;
   * EAGAIN: there is more.
   */
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
    const counters = new BigUint64Array(getXdpOption(this.fd, XDP_STATISTICS, 48).buffer)
    return {
      rxDropped: Number(counters[0]),
      rxInvalidDescriptors: Number(counters[1]),
      txInvalidDescriptors: Number(counters[2]),
      rxRingFull: Number(counters[3]),
      rxFillRingEmpty: Number(counters[4]),
      txRingEmpty: Number(counters[5]),
    }
  }

  /** Lets go of the memory, before its opener unmaps it. */
  close(): void {
    for (const ring of [this.rx, this.tx, this.fill, this.completion]) ring.close()
  }
}
