import { ETH_HEADER_BYTES, refused } from '@vring/layout'
import { attachXdp, interfaceIndex, type LinkInfo, linkInfo, type XdpAttachment, type XdpMode } from '@vring/linux'
import { CHUNK_BYTES_MAX, fitsChunk } from './af-xdp-sizes.ts'
import { BUSY_MS, openWhenFree } from './open-when-free.ts'
import { XskRedirect } from './xsk-redirect.ts'

/** What another thread needs to serve a queue of an interface that this one opened: plain data. */
export interface AfXdpQueueHandle {
  /** Name of the interface. */
  readonly name: string
  readonly ifindex: number
  readonly queue: number
  /** Queues of the interface. */
  readonly queues: number
  /** Descriptor of the map of sockets. */
  readonly socketsFd: number
  /**
   * Bytes of the longest frame, now: the MTU, an Ethernet header and two VLAN tags. One number in shared memory, which the
   * opener changes when the interface's MTU changes.
   */
  readonly frameNow: Int32Array
}

export interface AfXdpInterfaceOptions {
  /** Its name, in this thread's network namespace. */
  readonly name: string
  /** Where its program runs. Default: in the driver if it can (native), else in the stack (generic). */
  readonly xdpMode?: XdpMode
  /**
   * How long to wait for an interface that has a program, in ms: that of a process that was killed goes a moment later.
   * Default 1000.
   */
  readonly busyMs?: number
  /** It has to be waited for. */
  readonly onBusy?: () => void
}

/** A customer's and a provider's (IEEE 802.1ad). */
const VLAN_TAGS_BYTES = 8

/**
 * A Linux interface whose frames go to AF_XDP sockets: the control side of it. It attaches a program that redirects each
 * queue to its socket; a queue without a socket keeps its frames in the network stack. Queues are served by an
 * `AfXdpQueue` each, in any thread.
 */
export class AfXdpInterface {
  readonly name: string
  readonly ifindex: number
  /** One for each queue of the interface. */
  readonly queues: readonly AfXdpQueueHandle[]
  readonly #redirect: XskRedirect
  readonly #attachment: XdpAttachment
  #closed = false

  private constructor(link: LinkInfo, redirect: XskRedirect, attachment: XdpAttachment) {
    this.name = link.name
    this.ifindex = link.ifindex
    this.#redirect = redirect
    this.#attachment = attachment
    const frameNow = new Int32Array(new SharedArrayBuffer(4)).fill(afXdpFrameBytes(link.mtu))
    this.queues = Array.from({ length: link.rxQueues }, (_, queue) => ({
      name: link.name,
      ifindex: link.ifindex,
      queue,
      queues: link.rxQueues,
      socketsFd: redirect.sockets.fd,
      frameNow,
    }))
  }

  /**
   * Loads the program and attaches it. Nothing stays open when it fails.
   *
   * @throws VringError ERR_SYSTEM: ENODEV (no such interface), EBUSY (it has an XDP program, after `busyMs`), EPERM
   */
  static open(options: AfXdpInterfaceOptions): AfXdpInterface {
    const { name, xdpMode, busyMs = BUSY_MS, onBusy = () => {} } = options
    const link = linkInfo(interfaceIndex(name))
    const redirect = new XskRedirect(link.rxQueues, !fitsChunk(afXdpFrameBytes(link.mtu), CHUNK_BYTES_MAX))
    try {
      const attach = (): XdpAttachment => attachXdp(redirect.program, link.ifindex, xdpMode)
      return new AfXdpInterface(link, redirect, openWhenFree(attach, busyMs, onBusy))
    } catch (error) {
      redirect.close()
      throw error
    }
  }

  /** Where the program runs. */
  get xdpMode(): XdpMode {
    return this.#attachment.mode
  }

  /** The kernel's number for the program that it put on the interface. */
  get programId(): number {
    return this.#redirect.program.id
  }

  /** Its MTU is another now, bytes: queues drop as `oversize` what is longer, or what their chunks have no room for. */
  followMtu(mtu: number): void {
    for (const { frameNow } of this.queues) frameNow[0] = afXdpFrameBytes(mtu)
  }

  /**
   * The handle of one queue.
   *
   * @throws VringError ERR_OUT_OF_RANGE
   */
  handle(queue: number): AfXdpQueueHandle {
    const found = this.queues[queue]
    if (found === undefined) throw refused('ERR_OUT_OF_RANGE', 'queue', queue, `0 .. ${this.queues.length - 1}`)
    return found
  }

  /** Takes the program off: frames go to the network stack again. Queues are closed before. A second call does nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#attachment.detach()
    this.#redirect.close()
  }
}

/** The longest frame under an MTU, in bytes. */
export function afXdpFrameBytes(mtu: number): number {
  return mtu + ETH_HEADER_BYTES + VLAN_TAGS_BYTES
}
