import type { FrameBatch, NetBackend, NetBackendCounters } from '@vring/vhost-net'
import { digest } from './lap-state.ts'

/** Passes frames on; while it samples, it notes which different frames there are. */
export class SamplingBackend implements NetBackend {
  readonly name: string
  readonly inner: NetBackend
  /** Frames that are still to be looked at. */
  remaining = 0
  readonly #seen = new Set<string>()

  constructor(inner: NetBackend) {
    this.name = inner.name
    this.inner = inner
  }

  transmit(frames: FrameBatch): number {
    if (this.remaining > 0) this.#sample(frames)
    return this.inner.transmit(frames)
  }

  flush(): void {
    this.inner.flush()
  }

  get counters(): NetBackendCounters {
    return this.inner.counters
  }

  /** Digests of the different frames that were seen, in their own order. */
  get distinct(): readonly string[] {
    return [...this.#seen].sort()
  }

  close(): void {
    this.inner.close()
  }

  #sample(frames: FrameBatch): void {
    this.remaining -= frames.count
    for (let i = 0; i < frames.count; i++) {
      const start = frames.offset[i]! + frames.headerBytes
      this.#seen.add(digest(frames.view.u8.slice(start, frames.offset[i]! + frames.length[i]!)))
    }
  }
}
