import type { TapQueueCounters } from '@vring/backend-tap'
import { LinuxTap, LinuxTapQueue } from '@vring/backend-tap/linux'
import { CountedEnd } from './counted-end.ts'
import { KernelSink } from './kernel-sink.ts'
import { enterPrivateNetwork } from './private-network.ts'

/** A TAP of this process' own network namespace, whose XDP program counts and drops what is written into it. */
export class TapEnd extends CountedEnd<LinuxTapQueue> {
  readonly name = 'tap'
  private readonly tap: LinuxTap
  private readonly sink: KernelSink

  private constructor(tap: LinuxTap, sink: KernelSink, queue: LinuxTapQueue) {
    super(queue)
    this.tap = tap
    this.sink = sink
  }

  /** @throws VringError ERR_SYSTEM: EPERM, ENOENT (no /dev/net/tun) */
  static open(): TapEnd {
    enterPrivateNetwork()
    const tap = LinuxTap.open()
    let sink: KernelSink | null = null
    try {
      sink = new KernelSink(tap.ifindex)
      return new TapEnd(tap, sink, new LinuxTapQueue(tap.queues[0]!))
    } catch (error) {
      sink?.close()
      tap.close()
      throw error
    }
  }

  /** Frames that the kernel's program saw. */
  get arrived(): number {
    return this.sink.arrived
  }

  /** Those of the queue; a frame that left and did not arrive counts as `lost`. */
  override get counters(): TapQueueCounters {
    const counters = this.queue.counters
    const dropped = Object.values(counters.txDropped).reduce((sum, frames) => sum + frames, 0)
    const lost = counters.txFrames - dropped - this.arrived
    return lost === 0 ? counters : { ...counters, txDropped: { ...counters.txDropped, lost } }
  }

  override close(): void {
    super.close()
    this.sink.close()
    this.tap.close()
  }
}
