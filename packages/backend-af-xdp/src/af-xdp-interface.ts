import { ETH_HEADER_BYTES, refused } from '@vring/layout'
import { attachXdp, interfaceIndex, type LinkInfo, linkInfo, type XdpAttachment, type XdpMode } from '@vring/linux'
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
  /** Bytes of the longest frame: the MTU, an Ethernet header and a VLAN tag. */
  readonly frameBytes: number
}

export interface AfXdpInterfaceOptions {
  /** Its name, in this thread's network namespace. */
  readonly name: string
  /** Where its program runs. Default: in the driver if it can (native), else in the stack (generic). */
  readonly xdpMode?: XdpMode
}

const VLAN_TAG_BYTES = 4

/**
 * A Linux interface whose frames go to AF_XDP sockets: the control side of it. It attaches a program that redirects each
 * queue to its socket; a queue without a socket keeps its frames in the network stack. Queues are served by an
 * `AfXdpQueue` each, in whichever thread.
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
    this.queues = Array.from({ length: link.rxQueues }, (_, queue) => ({
      name: link.name,
      ifindex: link.ifindex,
      queue,
      queues: link.rxQueues,
      socketsFd: redirect.sockets.fd,
      frameBytes: link.mtu + ETH_HEADER_BYTES + VLAN_TAG_BYTES,
    }))
  }

  /**
   * Loads the program and attaches it. Nothing is left behind when it fails.
   *
   * @throws VringError ERR_SYSTEM: ENODEV (no such interface), EBUSY (it has an XDP program), EPERM
   */
  static open(options: AfXdpInterfaceOptions): AfXdpInterface {
    const link = linkInfo(interfaceIndex(options.name))
    const redirect = new XskRedirect(link.rxQueues)
    try {
      return new AfXdpInterface(link, redirect, attachXdp(redirect.program, link.ifindex, options.xdpMode))
    } catch (error) {
      redirect.close()
      throw error
    }
  }

  /** Where the program runs. */
  get xdpMode(): XdpMode {
    return this.#attachment.mode
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
