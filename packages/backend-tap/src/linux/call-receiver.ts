import { FrameCalls, nativeAddress } from '@vring/linux'
import { NET_BATCH } from '@vring/vhost-net'
import type { FrameReceiver } from './frame-receiver.ts'

const EAGAIN = -11

/** Receives by readv(2), one call for each frame and one that finds nothing. */
export class CallReceiver implements FrameReceiver {
  readonly io = 'readv'
  readonly buffer: ArrayBuffer
  readonly slotBytes: number
  readonly slot: Uint32Array = Uint32Array.from({ length: NET_BATCH }, (_, index) => index)
  readonly length: Uint32Array = new Uint32Array(NET_BATCH)
  errno = 0
  private readonly calls = new FrameCalls()
  private readonly fd: number
  private readonly base: number

  constructor(fd: number, slotBytes: number) {
    this.fd = fd
    this.slotBytes = slotBytes
    this.buffer = new ArrayBuffer(NET_BATCH * slotBytes)
    this.base = nativeAddress(this.buffer)
  }

  read(): number {
    this.errno = 0
    for (let count = 0; count < NET_BATCH; count++) {
      const result = this.calls.read(this.fd, this.base + count * this.slotBytes, this.slotBytes)
      if (result <= 0) {
        if (result !== EAGAIN) this.errno = -result
        return count
      }
      this.length[count] = result
    }
    return NET_BATCH
  }

  close(): void {}
}
