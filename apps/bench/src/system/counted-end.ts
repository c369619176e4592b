import type { FrameBatch, FrameSource, NetBackend } from '@vring/vhost-net'

/** A queue of a device of the kernel, in both directions. */
export type DeviceEnd = NetBackend & FrameSource & { readonly wakeFd: number }

/**
 * The end of a cell that leaves the process. It is a device's queue, served in both directions as a device would, whose
 * frames are counted where they arrive.
 */
export abstract class CountedEnd<Queue extends DeviceEnd> implements NetBackend, FrameSource {
  abstract readonly name: string
  protected readonly queue: Queue

  /** @param queue closed with this */
  protected constructor(queue: Queue) {
    this.queue = queue
  }

  /** Frames that arrived. */
  abstract get arrived(): number

  get wakeFd(): number {
    return this.queue.wakeFd
  }

  get counters(): Queue['counters'] {
    return this.queue.counters
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

  close(): void {
    this.queue.close()
  }
}
