import { ETH_HEADER_BYTES, NET_HDR_LEGACY_BYTES, NET_HDR_MRG_BYTES, refused } from '@vring/layout'
import type { MemoryView } from '@vring/memory'
import type { XdpProgram } from '@vring/xdp'
import type { FrameTarget } from './frame-target.ts'
import { TapQueue, type TapQueueDevice } from './tap-queue.ts'

export interface TapDeviceOptions {
  /** Default `tap0`. */
  readonly name?: string
  /** What programs see as the ingress interface. Default 1. */
  readonly ifindex?: number
  /** Bytes, 68 to 65521. Default 1500. */
  readonly mtu?: number
  /** Queue pairs, 1 to 256. Default 1. */
  readonly queues?: number
  /** Frames that may wait for each end of a queue, 1 to 65536. Default 500, as tun's. */
  readonly queueFrames?: number
  /** Bytes of the virtio-net header: 10 or 12. Default 12. */
  readonly headerBytes?: number
  /** XDP program; more in {@link TapDevice.program}. Default none. */
  readonly program?: XdpProgram
  /** The devices that programs may redirect to, by interface index. Default none. */
  readonly redirect?: (ifindex: number) => FrameTarget | null
}

const VLAN_TAG_BYTES = 4

/**
 * A TAP in process: what tun does with a driver's frames, without a kernel. For tests, benches and browsers.
 *
 * ```
 *   driver -> queue.transmit -> XDP hook -PASS-> peer.read
 *   driver <- queue.receive  <----------------- peer.write
 *                 ^--TX, REDIRECT from another device
 * ```
 */
export class TapDevice implements FrameTarget, TapQueueDevice {
  readonly name: string
  readonly ifindex: number
  readonly mtu: number
  readonly headerBytes: number
  readonly queueFrames: number
  readonly queues: readonly TapQueue[]
  /** The program on the hook, or null: every frame passes. May be replaced between two batches. */
  program: XdpProgram | null
  readonly #redirect: (ifindex: number) => FrameTarget | null

  /** @throws VringError ERR_OUT_OF_RANGE */
  constructor(options: TapDeviceOptions = {}) {
    this.name = options.name ?? 'tap0'
    this.ifindex = options.ifindex ?? 1
    this.mtu = inRange('mtu', options.mtu ?? 1500, 68, 65_521)
    this.queueFrames = inRange('queueFrames', options.queueFrames ?? 500, 1, 65_536)
    this.headerBytes = options.headerBytes ?? NET_HDR_MRG_BYTES
    if (this.headerBytes !== NET_HDR_LEGACY_BYTES && this.headerBytes !== NET_HDR_MRG_BYTES)
      throw refused('ERR_OUT_OF_RANGE', 'headerBytes', this.headerBytes, '10 or 12')
    this.program = options.program ?? null
    this.#redirect = options.redirect ?? (() => null)
    const queues = inRange('queues', options.queues ?? 1, 1, 256)
    this.queues = Array.from({ length: queues }, (_, index) => new TapQueue(this, index))
  }

  /** Bytes of the longest frame without segmentation: the MTU, an Ethernet header and a VLAN tag. */
  get frameBytes(): number {
    return this.mtu + ETH_HEADER_BYTES + VLAN_TAG_BYTES
  }

  /** The device that programs may redirect to by this index, or null. */
  redirectTarget(ifindex: number): FrameTarget | null {
    return this.#redirect(ifindex)
  }

  /** A frame that was redirected here goes to the driver. Source: Linux drivers/net/tun.c, tun_xdp_xmit. */
  takeRedirected(view: MemoryView, at: number, bytes: number, queue: number): boolean {
    return this.queues[queue % this.queues.length]!.give(null, view, at, bytes)
  }
}

function inRange(field: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw refused('ERR_OUT_OF_RANGE', field, value, `${least} .. ${most}`)
}
