import {
  assembleBpf,
  BpfMap,
  type BpfMapOptions,
  callHelper,
  exitProgram,
  KernelXdpProgram,
  key32,
  load32,
  loadMap,
  movImmediate,
} from '@vring/linux'

const BPF_FUNC_redirect_map = 51
const XDP_PASS = 2
/** Offset of rx_queue_index in struct xdp_md, bytes. */
const XDP_MD_RX_QUEUE_INDEX = 16
const R1 = 1
const R2 = 2
const R3 = 3

/**
 * The kernel program that gives each frame to the AF_XDP socket of the queue that it arrived on. When there is none, it
 * passes the frame to the network stack:
 *
 * ```
 *   r2 = ctx->rx_queue_index
 *   return bpf_redirect_map(sockets, r2, XDP_PASS)
 * ```
 */
export class XskRedirect {
  readonly program: KernelXdpProgram
  /** Sockets by queue. */
  readonly sockets: BpfMap

  /**
   * @param queues queues that the interface has
   * @param acceptsFragments frames of several pieces pass too: the driver needs to know it when its MTU is above a page's
   * @throws VringError ERR_SYSTEM: EPERM
   */
  constructor(queues: number, acceptsFragments = false) {
    this.sockets = BpfMap.create(xskMapOptions(queues))
    try {
      this.program = KernelXdpProgram.load({
        name: 'vring_xsk',
        acceptsFragments,
        instructions: assembleBpf([
          load32(R2, R1, XDP_MD_RX_QUEUE_INDEX),
          ...loadMap(R1, this.sockets.fd),
          movImmediate(R3, XDP_PASS),
          callHelper(BPF_FUNC_redirect_map),
          exitProgram(),
        ]),
      })
    } catch (error) {
      this.sockets.close()
      throw error
    }
  }

  /** Closes program and map; an attached program stays attached. */
  close(): void {
    this.program.close()
    this.sockets.close()
  }
}

/**
 * Enters the socket of a queue; it leaves the map when it is closed.
 *
 * @throws VringError ERR_SYSTEM
 */
export function enterSocket(mapFd: number, queues: number, queue: number, socketFd: number): void {
  BpfMap.borrow(mapFd, xskMapOptions(queues)).update(key32(queue), key32(socketFd))
}

function xskMapOptions(queues: number): BpfMapOptions {
  return { type: 'xskmap', name: 'vring_xsks', keySize: 4, valueSize: 4, maxEntries: queues }
}
