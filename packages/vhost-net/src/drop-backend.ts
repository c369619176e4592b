import { ETH_HEADER_BYTES } from '@vring/layout'
import type { FrameBatch } from './frame-batch.ts'
import { FrameTotals } from './frame-totals.ts'
import type { NetBackend, NetBackendCounters } from './net-backend.ts'

/** Counts frames and forgets them: the cheapest backend, for measuring what comes before it. */
export class DropBackend implements NetBackend {
  readonly name = 'drop'
  private readonly sent = new FrameTotals()
  private short = 0

  transmit(frames: FrameBatch): number {
    const { count, length, headerBytes } = frames
    let bytes = 0
    let short = 0
    for (let i = 0; i < count; i++) {
      const frame = length[i]! - headerBytes
      bytes += frame
      if (frame < ETH_HEADER_BYTES) short++
    }
    this.sent.add(count, bytes)
    this.short += short
    return count
  }

  flush(): void {}

  get counters(): NetBackendCounters {
    const { frames, bytes } = this.sent
    return { txFrames: frames, txBytes: bytes, txDropped: this.short > 0 ? { short: this.short } : {} }
  }

  close(): void {}
}
