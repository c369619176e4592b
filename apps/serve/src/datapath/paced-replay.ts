import type { ReplaySource } from '@vring/backend-pcap'
import { TimerFd } from '@vring/linux'
import type { FrameBatch, FrameSource } from '@vring/vhost-net'

/** A replay that wakes a sleeping loop when its next frame is due. */
export class PacedReplay implements FrameSource {
  private readonly source: ReplaySource
  private readonly timer = TimerFd.create()
  private set = false

  /** @throws VringError ERR_SYSTEM */
  constructor(source: ReplaySource) {
    this.source = source
  }

  get wakeFd(): number {
    return this.timer.fd
  }

  receive(): FrameBatch {
    const { source, timer } = this
    const batch = source.receive()
    if (batch.count > 0) return batch
    // Looked at before its time, it stays set: for the next frame, or for one that was taken since and comes sooner.
    if (this.set && !timer.drain()) return batch
    timer.set(source.untilDueMs)
    this.set = true
    return batch
  }

  consume(count: number): void {
    this.source.consume(count)
  }

  close(): void {
    this.timer.close()
  }
}
