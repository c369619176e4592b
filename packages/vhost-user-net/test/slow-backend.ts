import type { FrameBatch, NetBackend } from '@vring/vhost-net'

/** Takes as many frames as it has room for; notes the size of each. */
export class SlowBackend implements NetBackend {
  readonly name = 'slow'
  readonly sizes: number[] = []
  readonly counters = { txFrames: 0, txBytes: 0, txDropped: {} }
  room: number
  unsent = false
  roomFd = -1
  flushes = 0
  refusals = 0
  forgotten = 0
  onTaken = (): void => {}

  constructor(room: number) {
    this.room = room
  }

  transmit({ count, length }: FrameBatch): number {
    const taken = Math.min(count, this.room)
    this.room -= taken
    if (taken < count) this.refusals++
    for (let i = 0; i < taken; i++) this.sizes.push(length[i]! - 12)
    this.onTaken()
    return taken
  }

  flush(): void {
    this.flushes++
  }

  forgetMemory(): void {
    this.forgotten++
  }

  close(): void {}
}
