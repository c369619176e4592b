import type { TapQueueCounters } from '@vring/backend-tap'
import { LinuxTap, LinuxTapQueue } from '@vring/backend-tap/linux'
import type { FrameBatch, FrameSource, NetBackend } from '@vring/vhost-net'
import { KernelSink } from './kernel-sink.ts'
import { enterPrivateNetwork } from './private-network.ts'

/**
 * A TAP of this process' own network namespace, whose XDP program counts and drops what is written into it. It is served in
 * both directions, as a device would.
 */
export class TapEnd implements NetBackend, FrameSource {
  readonly name = 'tap'
  private readonly tap: LinuxTap
  private readonly queue: LinuxTapQueue
  private readonly sink: KernelSink

  /** @throws VringError ERR_SYSTEM: EPERM, ENOENT (no /dev/net/tun) */
  constructor() {
    enterPrivateNetwork()
    this.tap = LinuxTap.open()
    try {
      this.sink = new KernelSink(this.tap.ifindex)
      this.queue = new LinuxTapQueue(this.tap.queues[0]!)
    } catch (error) {
      this.tap.close()
      throw error
    }
  }

  /** Frames that the kernel's program saw. */
  get arrived(): number {
    return this.sink.arrived
  }

  get wakeFd(): number {
    return this.queue.wakeFd
  }

  transmit(frames: FrameBatch): number {
    return this.queue.transmit(frames)
  }

  flush(): void {
    this.queue.flush()
  }

  receive(): FrameBatch {
    return this.queue.receive()
  }

  consume(count: number): void {
    this.queue.consume(count)
  }

  /** Those of the queue; a frame that left and did not arrive counts as `lost`. */
  get counters(): TapQueueCounters {
    const counters = this.queue.counters
    const dropped = Object.values(counters.txDropped).reduce((sum, frames) => sum + frames, 0)
    const lost = counters.txFrames - dropped - this.arrived
    return lost === 0 ? counters : { ...counters, txDropped: { ...counters.txDropped, lost } }
  }

  close(): void {
    this.queue.close()
    this.sink.close()
    this.tap.close()
  }
}
