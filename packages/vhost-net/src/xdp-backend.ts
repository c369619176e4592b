import { ETH_HEADER_BYTES } from '@vring/layout'
import { normalizeVerdict, XDP_VERDICT_NAMES, XdpContext, type XdpProgram } from '@vring/xdp'
import { type FrameBatch, touchFrames } from './frame-batch.ts'
import { FrameTotals } from './frame-totals.ts'
import type { NetBackend, NetBackendCounters } from './net-backend.ts'

/** What an {@link XdpBackend} tells its program about where frames come from. */
export interface XdpBackendOptions {
  /** Interface index that the program sees. Default 1. */
  readonly ingressIfindex?: number
  /** Receive queue that the program sees. Default 0. */
  readonly rxQueueIndex?: number
}

/**
 * Runs an XDP program on every frame, where it lies, and counts the verdicts: tun's receive hook without a network stack
 * after it, so that PASS, TX and REDIRECT are counted and end here too. As tun does, a frame shorter than an Ethernet
 * header is refused before the program sees it, and an unknown verdict counts as ABORTED.
 */
export class XdpBackend implements NetBackend {
  readonly name: string
  readonly program: XdpProgram
  /** A program that may write gets copies: the frames are the driver's. */
  readonly needsCopy: boolean
  /** Frames by verdict: ABORTED, DROP, PASS, TX, REDIRECT. */
  readonly verdicts: Float64Array = new Float64Array(XDP_VERDICT_NAMES.length)
  private readonly context = new XdpContext()
  private readonly seen = new FrameTotals()
  private short = 0
  /** What {@link touchFrames} gave. */
  touched = 0

  constructor(program: XdpProgram, options: XdpBackendOptions = {}) {
    this.name = program.name
    this.program = program
    this.needsCopy = program.readOnly !== true
    this.context.ingressIfindex = options.ingressIfindex ?? 1
    this.context.rxQueueIndex = options.rxQueueIndex ?? 0
  }

  transmit(frames: FrameBatch): number {
    const { offset, length } = frames
    const context = this.context
    const program = this.program
    const u8 = frames.view.u8
    // As integers: V8 then keeps the loop's counters in registers, untagged.
    const count = frames.count | 0
    const headerBytes = frames.headerBytes | 0
    let bytes = 0
    // Verdicts come in runs: most batches add one sum, not 64 ones.
    let verdict = 0
    let run = 0
    this.touched = touchFrames(frames, headerBytes)
    context.u8 = u8
    for (let i = 0; i < count; i++) {
      const header = offset[i]!
      const data = (header + headerBytes) | 0
      const end = (header + length[i]!) | 0
      bytes = (bytes + end - data) | 0
      if (end - data < ETH_HEADER_BYTES) {
        this.short++
        continue
      }
      context.data = data
      context.dataEnd = end
      context.dataMeta = data
      // Before the frame is its virtio-net header, after it other memory of the driver: no room to grow into.
      context.hardStart = data
      context.hardEnd = end
      const answer = program.run(context)
      if (answer !== verdict) {
        this.countRun(verdict, run)
        verdict = answer
        run = 0
      }
      run++
    }
    this.countRun(verdict, run)
    this.seen.add(count, bytes)
    return count
  }

  flush(): void {}

  get counters(): NetBackendCounters {
    const { frames, bytes } = this.seen
    return { txFrames: frames, txBytes: bytes, txDropped: this.short > 0 ? { short: this.short } : {} }
  }

  close(): void {}

  /** Apart, so that {@link transmit} stays below V8's limit for inlining. */
  private countRun(verdict: number, frames: number): void {
    this.verdicts[normalizeVerdict(verdict)]! += frames
  }
}
