import { refused } from '@vring/layout'
import {
  attachXdp,
  closeFd,
  deleteLink,
  interfaceIndex,
  type KernelXdpProgram,
  type LinkInfo,
  linkInfo,
  openTunQueue,
  setLink,
  setTunOffload,
  setTunPersistent,
  systemErrnoOf,
  TUN_F_CSUM,
  TUN_F_TSO_ECN,
  TUN_F_TSO4,
  TUN_F_TSO6,
  TUN_F_USO4,
  TUN_F_USO6,
  type XdpAttachment,
  type XdpMode,
} from '@vring/linux'
import { tapFrameBytes } from './linux-tap-queue.ts'
import type { TapQueueHandle } from './tap-queue-handle.ts'

/** What the driver completes itself in frames that it receives: from VIRTIO_NET_F_GUEST_CSUM, _TSO4, _TSO6, _ECN, _USO. */
export interface TapOffloads {
  /** Checksums may be partial. The others need it. */
  readonly csum?: boolean
  readonly tso4?: boolean
  readonly tso6?: boolean
  readonly ecn?: boolean
  /** UDP segmentation, IPv4 and IPv6; Linux 6.2. */
  readonly uso?: boolean
}

export interface LinuxTapOptions {
  /** 1 to 15 bytes. Default: the kernel chooses `tapN`. */
  readonly name?: string
  /** Make the interface if it is missing; else it must be there. Default true. */
  readonly create?: boolean
  /** Queue pairs, 1 to 256; more than one need IFF_MULTI_QUEUE, which an existing interface must have. Default 1. */
  readonly queues?: number
  /** Bytes, 68 to 65521. Default: as it is, 1500 for a new one. */
  readonly mtu?: number
  /** Default none. */
  readonly offloads?: TapOffloads
  /** The interface stays when this is closed. Default: as it is; a new one goes. */
  readonly persistent?: boolean
  /** Bring it up. Default true. */
  readonly up?: boolean
  /** Bytes of the virtio-net header: 10 or 12. Default 12. */
  readonly headerBytes?: number
  /** Through NAPI and GRO; frees XDP of its fast path. Default false. */
  readonly napi?: boolean
}

const QUEUES_MAX = 256

/**
 * A Linux TAP interface: the control side of it. Its queues are served by a `LinuxTapQueue` each, in any thread.
 */
export class LinuxTap {
  readonly name: string
  readonly ifindex: number
  /** One for each queue: plain data, to be served here or in a worker thread. */
  readonly queues: readonly TapQueueHandle[]
  #attachment: XdpAttachment | null = null
  #closed = false

  private constructor(name: string, ifindex: number, queues: readonly TapQueueHandle[]) {
    this.name = name
    this.ifindex = ifindex
    this.queues = queues
  }

  /**
   * Opens a TAP. Nothing stays open when it fails.
   *
   * @throws VringError ERR_OUT_OF_RANGE for an option; ERR_SYSTEM: ENODEV (`create: false` and missing), EBUSY, EINVAL
   * (no TAP, or other flags or offloads), EPERM
   */
  static open(options: LinuxTapOptions = {}): LinuxTap {
    const { queues = 1, headerBytes = 12, offloads = {} } = options
    if (!(Number.isInteger(queues) && queues >= 1 && queues <= QUEUES_MAX))
      throw refused('ERR_OUT_OF_RANGE', 'queues', queues, `1 .. ${QUEUES_MAX}`)
    if (options.create === false) interfaceIndex(options.name ?? '')
    const fds: number[] = []
    try {
      let name = options.name
      for (let i = 0; i < queues; i++) {
        const queue = openTunQueue({
          ...(name === undefined ? {} : { name }),
          multiQueue: queues > 1,
          napi: options.napi ?? false,
          headerBytes,
        })
        fds.push(queue.fd)
        name = queue.name
      }
      const ifindex = interfaceIndex(name!)
      configure(fds[0]!, ifindex, options)
      const { mtu } = linkInfo(ifindex)
      const frameNow = new Int32Array(new SharedArrayBuffer(4)).fill(tapFrameBytes(mtu))
      const headerNow = new Int32Array(new SharedArrayBuffer(4)).fill(headerBytes)
      const handles = fds.map((fd, index): TapQueueHandle => {
        const segmentation = Boolean(offloads.tso4 || offloads.tso6 || offloads.uso)
        return { fd, name: name!, index, headerBytes, headerNow, frameNow, multiQueue: queues > 1, segmentation }
      })
      return new LinuxTap(name!, ifindex, handles)
    } catch (error) {
      for (const fd of fds) closeFd(fd)
      throw error
    }
  }

  /**
   * What the kernel says about it now.
   *
   * @throws VringError ERR_SYSTEM with ENODEV when it was deleted
   */
  info(): LinkInfo {
    return linkInfo(this.ifindex)
  }

  /**
   * Runs a program on every frame that queues send into the TAP. It does so in tun's own receive path if it can
   * (native), else in the stack (generic). It goes with this TAP.
   *
   * @param mode ask for one mode only
   * @returns the mode that was granted
   * @throws VringError ERR_SYSTEM: EBUSY (it has a program), EPERM
   */
  attachXdp(program: KernelXdpProgram, mode?: XdpMode): XdpMode {
    this.#attachment = attachXdp(program, this.ifindex, mode)
    return this.#attachment.mode
  }

  /** Takes the program off; without one does nothing. */
  detachXdp(): void {
    this.#attachment?.detach()
    this.#attachment = null
  }

  /**
   * Brings it up or down, or changes its MTU.
   *
   * @throws VringError ERR_SYSTEM
   */
  set(change: { readonly up?: boolean; readonly mtu?: number }): void {
    setLink(this.ifindex, change)
    if (change.mtu !== undefined) this.followMtu(change.mtu)
  }

  /** Its MTU is another now, bytes: queues drop as `oversize` what is longer, without segmentation. */
  followMtu(mtu: number): void {
    for (const { frameNow } of this.queues) frameNow[0] = tapFrameBytes(mtu)
  }

  /** Deletes the interface, persistent or not; queues that still serve it count their frames as `gone`. */
  delete(): void {
    try {
      deleteLink(this.ifindex)
    } catch (error) {
      if (systemErrnoOf(error) !== 'ENODEV') throw error
    }
  }

  /** Takes its program off and closes its queues: the interface goes, unless it is persistent. Queues are closed before. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.detachXdp()
    for (const { fd } of this.queues) closeFd(fd)
  }
}

/** What an interface that was prepared has already needs no privilege: it is not asked for. */
function configure(fd: number, ifindex: number, options: LinuxTapOptions): void {
  setTunOffload(fd, offloadFlags(options.offloads ?? {}))
  const now = linkInfo(ifindex)
  const { up = true, mtu = now.mtu } = options
  if (up !== now.up || mtu !== now.mtu)
    setLink(ifindex, { ...(up === now.up ? {} : { up }), ...(mtu === now.mtu ? {} : { mtu }) })
  // Last, so that a new interface does not stay when its set-up fails.
  if (options.persistent !== undefined) setTunPersistent(fd, options.persistent)
}

function offloadFlags({ csum, tso4, tso6, ecn, uso }: TapOffloads): number {
  const flags =
    (csum ? TUN_F_CSUM : 0) |
    (tso4 ? TUN_F_TSO4 : 0) |
    (tso6 ? TUN_F_TSO6 : 0) |
    (ecn ? TUN_F_TSO_ECN : 0) |
    (uso ? TUN_F_USO4 | TUN_F_USO6 : 0)
  if (flags !== 0 && !csum) throw refused('ERR_OUT_OF_RANGE', 'offloads.csum', csum, 'true: segmentation needs it')
  return flags
}
