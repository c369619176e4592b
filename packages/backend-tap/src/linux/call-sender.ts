import { FrameCalls } from '@vring/linux'
import { NET_BATCH } from '@vring/vhost-net'
import type { FrameSender } from './frame-sender.ts'

/** Sends by writev(2), one call for each frame. */
export class CallSender implements FrameSender {
  readonly io = 'readv'
  readonly room = NET_BATCH
  private readonly calls = new FrameCalls()
  private readonly fd: number
  private readonly address = new Float64Array(NET_BATCH)
  private readonly length = new Uint32Array(NET_BATCH)
  private count = 0

  constructor(fd: number) {
    this.fd = fd
  }

  use(): void {}

  forget(): void {}

  push(address: number, length: number): void {
    this.address[this.count] = address
    this.length[this.count++] = length
  }

  flush(refused: (errno: number) => void): void {
    for (let i = 0; i < this.count; i++) {
      const result = this.calls.write(this.fd, this.address[i]!, this.length[i]!)
      if (result < 0) refused(-result)
    }
    this.count = 0
  }

  close(): void {}
}
