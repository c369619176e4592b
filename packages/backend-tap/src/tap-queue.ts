import { plainCpu } from '@vring/accessor'
import { ETH_HEADER_BYTES, NET_HDR_GSO_TYPE_OFFSET, NET_HDR_MRG_BYTES, VIRTIO_NET_HDR_GSO_NONE } from '@vring/layout'
import { type MemoryView, memoryView } from '@vring/memory'
import {
  FRAME_BYTES_MAX,
  type FrameBatch,
  FrameQueue,
  type FrameSource,
  FrameTotals,
  type NetBackend,
} from '@vring/vhost-net'
import {
  normalizeVerdict,
  XDP_PASS,
  XDP_REDIRECT,
  XDP_TX,
  XDP_VERDICT_NAMES,
  XdpContext,
  type XdpProgram,
} from '@vring/xdp'
import { DropCounters } from './drop-counters.ts'
import type { FrameTarget } from './frame-target.ts'
import { checkNetHeader } from './net-header.ts'
import type { TapQueueCounters } from './tap-counters.ts'
import { TapPeer } from './tap-peer.ts'

/** Bytes before a frame that a program may grow it into. Source: Linux include/uapi/linux/bpf.h. */
export const XDP_PACKET_HEADROOM = 256
/** Bytes after it. */
const TAILROOM = 256
const NO_HEADER = memoryView(new ArrayBuffer(NET_HDR_MRG_BYTES))

/** What a queue takes of the device that it is one of. */
export interface TapQueueDevice {
  readonly name: string
  readonly ifindex: number
  readonly headerBytes: number
  /** Frames that wait in each direction at most. */
  readonly queueFrames: number
  /** Bytes of the longest frame without segmentation. */
  readonly frameBytes: number
  /** The program on the hook now, or null. */
  readonly program: XdpProgram | null
  /** The device that programs may redirect to by this index, or null. */
  redirectTarget(ifindex: number): FrameTarget | null
}

/**
 * A queue of a TapDevice. Frames of a driver go through the XDP hook and on to the peer. Frames of the peer wait for
 * the driver.
 *
 * Each frame is copied into the device's own memory first, so that a program may change and move it. What happens then
 * follows tun's batch (Linux drivers/net/tun.c, tun_xdp_one and tun_sendmsg with TUN_MSG_PTR). Data shorter than an
 * Ethernet header is refused. A frame with segmentation takes the way of socket buffers. DROP and ABORTED end it. PASS
 * gives it to the peer, TX back to the driver of this queue. REDIRECT collects it for another device until
 * {@link flush}.
 *
 * Dropped and counted: `short`, `oversize`, `header` (it lies about its frame), `aborted`, `drop`, `peer-full`,
 * `tx-full`, `redirect-full`, `redirect-no-target`.
 */
export class TapQueue implements NetBackend, FrameSource {
  readonly name: string
  readonly index: number
  /** The other end: the network stack of the device. */
  readonly peer: TapPeer
  /** Frames by verdict of the program: ABORTED, DROP, PASS, TX, REDIRECT. */
  readonly verdicts: Float64Array = new Float64Array(XDP_VERDICT_NAMES.length)
  /** Frames with segmentation, which went the way of socket buffers. */
  skbFrames = 0
  /** Times that collected redirects were handed over. */
  redirectFlushes = 0
  private readonly device: TapQueueDevice
  private readonly context = new XdpContext()
  private readonly scratch: MemoryView = memoryView(new ArrayBuffer(SCRATCH_BYTES))
  private readonly header: MemoryView = memoryView(new ArrayBuffer(NET_HDR_MRG_BYTES))
  private readonly toDriver: FrameQueue
  private readonly toPeer: FrameQueue
  private readonly redirected: FrameQueue
  private readonly targets: FrameTarget[] = []
  private readonly drops = new DropCounters()
  private readonly rxDrops = new DropCounters()
  private readonly sent = new FrameTotals()
  private readonly received = new FrameTotals()

  /** Made by TapDevice. */
  constructor(device: TapQueueDevice, index: number) {
    const { headerBytes, queueFrames, frameBytes } = device
    const bytes = queueFrames * ((headerBytes + frameBytes + 3) & ~3) + SCRATCH_BYTES
    this.name = `${device.name}:${index}`
    this.index = index
    this.device = device
    this.context.ingressIfindex = device.ifindex
    this.context.rxQueueIndex = index
    this.toDriver = new FrameQueue(headerBytes, queueFrames, bytes)
    this.toPeer = new FrameQueue(headerBytes, queueFrames, bytes)
    this.redirected = new FrameQueue(headerBytes, queueFrames, bytes)
    this.peer = new TapPeer(this.toPeer, headerBytes, (header, frame, length) => this.give(header, frame, 0, length))
  }

  transmit(frames: FrameBatch): number {
    const { count, offset, length, headerBytes, view } = frames
    let total = 0
    for (let i = 0; i < count; i++) {
      const bytes = length[i]! - headerBytes
      total += bytes
      const refused = this.take(view, offset[i]!, headerBytes, bytes)
      if (refused !== null) this.drops.add(refused)
    }
    this.sent.add(count, total)
    return count
  }

  flush(): void {
    if (this.redirected.waiting === 0) return
    this.redirectFlushes++
    let next = 0
    for (let frames = this.redirected.receive(); frames.count > 0; frames = this.redirected.receive()) {
      for (let i = 0; i < frames.count; i++) {
        const at = frames.offset[i]! + frames.headerBytes
        const bytes = frames.length[i]! - frames.headerBytes
        if (!this.targets[next++]!.takeRedirected(frames.view, at, bytes, this.index)) this.drops.add('redirect-full')
      }
      this.redirected.consume(frames.count)
    }
    this.targets.length = 0
  }

  receive(): FrameBatch {
    return this.toDriver.receive()
  }

  consume(count: number): void {
    this.toDriver.consume(count)
  }

  /**
   * A frame for the driver of this queue, from the peer or from another device.
   *
   * @returns false when it was dropped, which is counted: `short`, `oversize`, `header` or `full`
   */
  give(header: MemoryView | null, frame: MemoryView, at: number, bytes: number): boolean {
    const checked = header ?? NO_HEADER
    const refused = this.refusal(checked, frame, at, bytes)
    if (refused !== null || !this.toDriver.push(checked, 0, frame, at, bytes)) {
      this.rxDrops.add(refused ?? 'full')
      return false
    }
    this.received.add(1, bytes)
    return true
  }

  get counters(): TapQueueCounters {
    return {
      txFrames: this.sent.frames,
      txBytes: this.sent.bytes,
      txDropped: this.drops.snapshot(),
      rxFrames: this.received.frames,
      rxBytes: this.received.bytes,
      rxDropped: this.rxDrops.snapshot(),
    }
  }

  close(): void {}

  /** Takes one frame of the driver; null, or why it was dropped. */
  private take(view: MemoryView, at: number, headerBytes: number, bytes: number): string | null {
    const { header, scratch, context } = this
    // Fetched once, then checked: the driver may change its memory meanwhile.
    plainCpu.copy(header, 0, view, at, headerBytes)
    if (bytes > FRAME_BYTES_MAX) return 'oversize'
    plainCpu.copy(scratch, XDP_PACKET_HEADROOM, view, at + headerBytes, bytes)
    const refused = this.refusal(header, scratch, XDP_PACKET_HEADROOM, bytes)
    if (refused !== null) return refused
    const program = this.device.program
    if (header.u8[NET_HDR_GSO_TYPE_OFFSET] !== VIRTIO_NET_HDR_GSO_NONE) this.skbFrames++
    if (program === null) return this.pass(XDP_PACKET_HEADROOM, bytes)
    context.setFrame(scratch.u8, XDP_PACKET_HEADROOM, bytes, XDP_PACKET_HEADROOM, TAILROOM)
    context.redirectMap = null
    context.redirectTarget = 0
    const verdict = normalizeVerdict(program.run(context))
    this.verdicts[verdict]!++
    const { data } = context
    const length = context.dataEnd - data
    if (verdict === XDP_PASS) {
      if (checkNetHeader(header.u8, 0, scratch.u8, data, length) < 0) return 'header'
      return this.pass(data, length)
    }
    // A frame that leaves from the hook has no socket buffer whose offloads a header could tell.
    if (verdict === XDP_TX) return this.toDriver.push(NO_HEADER, 0, scratch, data, length) ? null : 'tx-full'
    if (verdict === XDP_REDIRECT) return this.redirect(data, length)
    return XDP_VERDICT_NAMES[verdict]!
  }

  private pass(at: number, bytes: number): string | null {
    return this.toPeer.push(this.header, 0, this.scratch, at, bytes) ? null : 'peer-full'
  }

  private redirect(at: number, bytes: number): string | null {
    const { redirectMap, redirectTarget } = this.context
    const target = redirectMap?.kind === 'xskmap' ? null : this.device.redirectTarget(redirectTarget)
    if (target === null) return 'redirect-no-target'
    if (!this.redirected.push(NO_HEADER, 0, this.scratch, at, bytes)) return 'redirect-full'
    this.targets.push(target)
    return null
  }

  private refusal(header: MemoryView, frame: MemoryView, at: number, bytes: number): string | null {
    if (bytes < ETH_HEADER_BYTES) return 'short'
    if (checkNetHeader(header.u8, 0, frame.u8, at, bytes) < 0) return 'header'
    const segmented = header.u8[NET_HDR_GSO_TYPE_OFFSET] !== VIRTIO_NET_HDR_GSO_NONE
    return bytes > (segmented ? FRAME_BYTES_MAX : this.device.frameBytes) ? 'oversize' : null
  }
}

/** The longest frame with room around it. */
const SCRATCH_BYTES: number = (XDP_PACKET_HEADROOM + FRAME_BYTES_MAX + TAILROOM + 3) & ~3
