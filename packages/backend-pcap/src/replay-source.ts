import { ETH_HEADER_BYTES, refused, VringError } from '@vring/layout'
import { memoryView } from '@vring/memory'
import { FrameBatch, type FrameSource, NET_BATCH } from '@vring/vhost-net'
import type { Capture, CapturedPacket } from './capture.ts'
import { LINKTYPE_ETHERNET } from './pcapng-format.ts'

export interface ReplayOptions {
  /** Bytes of the virtio-net header in front of every frame (`netHeaderBytes`). */
  readonly headerBytes: number
  /** Start again at the end. Default false. */
  readonly loop?: boolean
  /** `asap`: as fast as the driver takes them. `recorded`: with the gaps of the capture. Default `asap`. */
  readonly pace?: 'asap' | 'recorded'
  /** Clock in ms for `recorded`; default `performance.now`. */
  readonly nowMs?: () => number
  /** Replays the frames of one interface of the capture; default all. */
  readonly interfaceId?: number
}

/** Bytes that all frames of a replay may take. */
const REPLAY_BYTES_MAX = 1 << 30
const NS_PER_MS = 1e6

/**
 * Recorded traffic as a source of frames. All frames are laid out once, in one memory, each behind an empty virtio-net
 * header; a batch is offsets into it. Frames that were cut while capturing are replayed as they are.
 */
export class ReplaySource implements FrameSource {
  /** Frames of one round through the capture. */
  readonly frameCount: number
  /** Frames of the capture that can't be replayed: not Ethernet, or shorter than its header. */
  readonly skipped: number
  /** Frames consumed so far. */
  consumed = 0
  private readonly offset: Uint32Array
  private readonly length: Uint32Array
  /** When each frame is due, ms from the first. */
  private readonly due: Float64Array
  private readonly batch: FrameBatch
  private readonly loop: boolean
  private readonly paced: boolean
  private readonly nowMs: () => number
  private next = 0
  private started = Number.NaN

  /** @throws VringError if the capture has no frame that can be replayed, or too many bytes */
  constructor(capture: Capture, options: ReplayOptions) {
    const { headerBytes, interfaceId } = options
    const wanted = capture.packets.filter((one) => interfaceId === undefined || one.interfaceId === interfaceId)
    const frames = wanted.filter((one) => isFrame(capture, one))
    if (frames.length === 0)
      throw new VringError('ERR_INVALID_ARGUMENT', 'the capture has no Ethernet frames to replay', { field: 'capture' })
    const bytes = frames.reduce((sum, one) => sum + headerBytes + one.bytes.length, 0)
    if (bytes > REPLAY_BYTES_MAX)
      throw refused('ERR_OUT_OF_RANGE', 'bytes of the capture', bytes, `up to ${REPLAY_BYTES_MAX}`)
    this.frameCount = frames.length
    this.skipped = wanted.length - frames.length
    this.offset = new Uint32Array(frames.length)
    this.length = new Uint32Array(frames.length)
    this.due = new Float64Array(frames.length)
    const view = memoryView(new ArrayBuffer((bytes + 3) & ~3))
    let at = 0
    frames.forEach((one, i) => {
      view.u8.set(one.bytes, at + headerBytes)
      this.offset[i] = at
      this.length[i] = headerBytes + one.bytes.length
      this.due[i] = Number(one.timestampNs - frames[0]!.timestampNs) / NS_PER_MS
      at += headerBytes + one.bytes.length
    })
    this.batch = new FrameBatch(headerBytes, view)
    this.loop = options.loop ?? false
    this.paced = options.pace === 'recorded'
    this.nowMs = options.nowMs ?? (() => performance.now())
  }

  /** Every frame was consumed, and it does not start again. */
  get done(): boolean {
    return !this.loop && this.next === this.frameCount
  }

  /** Milliseconds until the next frame is due: 0 when one is, Infinity when none comes any more. */
  get untilDueMs(): number {
    if (this.next === this.frameCount) return Number.POSITIVE_INFINITY
    if (!this.paced || Number.isNaN(this.started)) return 0
    return Math.max(0, this.due[this.next]! - (this.nowMs() - this.started))
  }

  receive(): FrameBatch {
    const batch = this.batch
    const end = Math.min(this.dueEnd(), this.next + NET_BATCH)
    let count = 0
    for (let i = this.next; i < end; i++, count++) {
      batch.offset[count] = this.offset[i]!
      batch.length[count] = this.length[i]!
    }
    batch.count = count
    return batch
  }

  consume(count: number): void {
    this.consumed += count
    this.next += count
    if (this.loop && this.next === this.frameCount) {
      this.next = 0
      this.started = Number.NaN
    }
  }

  /** Behind the last frame whose time has come. */
  private dueEnd(): number {
    if (!this.paced) return this.frameCount
    const now = this.nowMs()
    if (Number.isNaN(this.started)) this.started = now
    let end = this.next
    while (end < this.frameCount && end < this.next + NET_BATCH && this.due[end]! <= now - this.started) end++
    return end
  }
}

function isFrame({ interfaces }: Capture, packet: CapturedPacket): boolean {
  return interfaces[packet.interfaceId]!.linkType === LINKTYPE_ETHERNET && packet.bytes.length >= ETH_HEADER_BYTES
}
