import { ETH_HEADER_BYTES } from '@vring/layout'
import type { FrameBatch } from './frame-batch.ts'
import type { NetBackend, NetBackendCounters } from './net-backend.ts'

/** Counts frames and forgets them: the cheapest backend, for measuring what is in front of it. */
export class DropBackend implements NetBackend {
  readonly name = 'drop'
  private frames = 0
  private bytes = 0
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
    this.frames += count
    this.bytes += bytes
    this.short += short
    return count
  }

  flush(): void {}

  get counters(): NetBackendCounters {
    return { txFrames: this.frames, txBytes: this.bytes, txDropped: this.short > 0 ? { short: this.short } : {} }
  }

  close(): void {}
}
