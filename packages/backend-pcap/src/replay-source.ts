import { isVringError, refused } from '@vring/layout'
import { type MemoryView, memoryView } from '@vring/memory'
import { FRAME_BYTES_MAX, FrameBatch, type FrameSource, NET_BATCH } from '@vring/vhost-net'
import { type CaptureReader, isEthernetFrame } from './capture-reader.ts'
import { ReplayClock } from './replay-clock.ts'
import type { ReplayReport } from './replay-report.ts'
import { ReplayTimeline } from './replay-timeline.ts'

export interface ReplayOptions {
  /** Bytes of the virtio-net header before every frame (`netHeaderBytes`). */
  readonly headerBytes: number
  /** Start again at the end. Default false. */
  readonly loop?: boolean
  /** `asap`: as fast as the driver takes them. `recorded`: with the gaps of the capture. Default `asap`. */
  readonly pace?: 'asap' | 'recorded'
  /** The longest gap of `recorded`, ms; longer ones are shortened. Default {@link MAX_GAP_MS}. */
  readonly maxGapMs?: number
  /** The time base, shared by all sources of a replay. Default one of its own. */
  readonly clock?: ReplayClock
  /** Replays the frames of interfaces i with i mod `of` = `index`. Default all. */
  readonly share?: { readonly index: number; readonly of: number }
  /** The first pass has ended. */
  readonly onReport?: (report: ReplayReport) => void
}

/** The longest gap by default, ms. */
export const MAX_GAP_MS = 10_000
/** The longest gap that can be asked for, ms: a day. */
export const MAX_GAP_MS_MOST = 86_400_000
/** Frames that wait for a driver lie in this much memory: a batch of long ones. */
const BUFFER_BYTES = 512 << 10
/** Blocks that one {@link ReplaySource.receive} looks at: frames of other shares are passed over in turns. */
const STEPS_PER_RECEIVE = 1024

/**
 * Recorded traffic as a source of frames, read as it is replayed: memory does not grow with the capture. Each frame follows
 * an empty virtio-net header. Frames that were cut while capturing are replayed as they are.
 *
 * Every source reads the whole capture and computes the same times. Sources that share a clock share a time base,
 * whatever frames are theirs and however fast their drivers are.
 */
export class ReplaySource implements FrameSource {
  /** Frames consumed so far. */
  consumed = 0
  /** Every frame was consumed, and it does not start again. */
  done = false
  private readonly read: () => CaptureReader
  private readonly loop: boolean
  private readonly paced: boolean
  private readonly maxGapMs: number
  private readonly clock: ReplayClock
  private readonly share: { readonly index: number; readonly of: number }
  private readonly onReport: (report: ReplayReport) => void
  private readonly view: MemoryView = memoryView(new ArrayBuffer(BUFFER_BYTES))
  private readonly batch: FrameBatch
  private reader: CaptureReader
  private timeline: ReplayTimeline
  /** When this pass began, ms of the clock. */
  private passStart = 0
  /** The reader stands at a frame of this share that is not in the batch yet. */
  private pending = false
  private ended = false
  /** What was reported as malformed; undefined: nothing was reported yet. */
  private reported: string | null | undefined
  private malformed: string | null = null
  private frames = 0
  private cut = 0
  private skipped = 0
  /** Frames of this share in this pass. */
  private mine = 0
  /** Where in {@link view} the next frame goes. */
  private next = 0

  /**
   * @param read begins to read the capture: now, and for each pass
   * @throws VringError ERR_OUT_OF_RANGE; what `read` throws
   */
  constructor(read: () => CaptureReader, options: ReplayOptions) {
    const { headerBytes, maxGapMs = MAX_GAP_MS } = options
    if (!(maxGapMs >= 0 && maxGapMs <= MAX_GAP_MS_MOST))
      throw refused('ERR_OUT_OF_RANGE', 'maxGapMs', maxGapMs, `0 to ${MAX_GAP_MS_MOST}`)
    this.read = read
    this.loop = options.loop ?? false
    this.paced = options.pace === 'recorded'
    this.maxGapMs = maxGapMs
    this.clock = options.clock ?? new ReplayClock()
    this.share = options.share ?? { index: 0, of: 1 }
    this.onReport = options.onReport ?? (() => {})
    this.batch = new FrameBatch(headerBytes, this.view)
    this.reader = read()
    this.timeline = new ReplayTimeline(maxGapMs)
  }

  /** Milliseconds until {@link receive} finds more: 0 when it does now or has to go on reading, Infinity at the end. */
  get untilDueMs(): number {
    if (this.done || this.ended) return Number.POSITIVE_INFINITY
    if (!this.paced || !this.pending) return 0
    return Math.max(0, this.due - this.clock.elapsed())
  }

  receive(): FrameBatch {
    const { batch } = this
    if (batch.count === 0 && !this.done) this.load(batch)
    return batch
  }

  consume(count: number): void {
    const { batch } = this
    this.consumed += count
    const left = batch.count - count
    if (left > 0) {
      batch.offset.copyWithin(0, count, batch.count)
      batch.length.copyWithin(0, count, batch.count)
    }
    batch.count = left
    if (left === 0 && this.ended) this.done = true
  }

  private get due(): number {
    return this.passStart + this.timeline.due
  }

  private load(batch: FrameBatch): void {
    this.next = 0
    const now = this.paced ? this.clock.elapsed() : Number.POSITIVE_INFINITY
    for (let steps = 0; steps < STEPS_PER_RECEIVE && batch.count < NET_BATCH; ) {
      if (!this.pending) {
        steps++
        if (!this.advance()) break
        continue
      }
      if (this.due > now || !this.take(batch)) break
    }
    if (batch.count === 0 && this.ended) this.done = true
  }

  /** Copies the frame that the reader stands at. @returns false: there is no room now */
  private take(batch: FrameBatch): boolean {
    const { reader, view, next } = this
    const length = batch.headerBytes + reader.captured
    if (length > BUFFER_BYTES - next) return false
    view.u8.fill(0, next, next + batch.headerBytes)
    view.u8.set(reader.bytes.subarray(reader.at, reader.at + reader.captured), next + batch.headerBytes)
    batch.offset[batch.count] = next
    batch.length[batch.count++] = length
    this.next = (next + length + 3) & ~3
    this.pending = false
    return true
  }

  /** One block further. @returns false: the capture has ended, and is not begun again */
  private advance(): boolean {
    if (this.ended) return false
    const step = this.step()
    if (step === 'end') return this.endPass()
    if (step === 'packet') this.look()
    return true
  }

  private look(): void {
    const { reader, share } = this
    this.timeline.advance(reader.timeMs)
    if (!isEthernetFrame(reader) || reader.captured > FRAME_BYTES_MAX) {
      this.skipped++
      return
    }
    this.frames++
    if (reader.captured < reader.original) this.cut++
    if (reader.interfaceId % share.of !== share.index) return
    this.mine++
    this.pending = true
  }

  private step(): 'packet' | 'other' | 'end' {
    try {
      return this.reader.step()
    } catch (error) {
      if (!isVringError(error)) throw error
      this.malformed = error.message
      return 'end'
    }
  }

  private endPass(): boolean {
    this.report()
    if (!this.loop || this.mine === 0) {
      this.ended = true
      return false
    }
    this.passStart += this.timeline.due
    this.timeline = new ReplayTimeline(this.maxGapMs)
    this.mine = 0
    try {
      this.reader = this.read()
    } catch (error) {
      // It could be read before: the file has changed since.
      if (!isVringError(error)) throw error
      this.malformed = error.message
      this.report()
      this.ended = true
      return false
    }
    return true
  }

  /** Once, and again when a later pass finds what the first did not. */
  private report(): void {
    const { frames, cut, skipped, malformed } = this
    if (this.reported === malformed) return
    this.reported = malformed
    const { shortened } = this.timeline
    this.onReport({ frames, cut, skipped, shortened, truncatedAt: this.reader.truncatedAt, malformed })
  }
}
