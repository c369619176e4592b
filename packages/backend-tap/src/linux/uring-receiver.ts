import {
  IORING_OP_READ,
  IOSQE_FIXED_FILE,
  IoUring,
  nativeAddress,
  RWF_NOWAIT,
  SQE_ADDRESS,
  SQE_LENGTH,
  SQE_OPCODE,
  SQE_RW_FLAGS,
  SQE_WORDS,
} from '@vring/linux'
import { NET_BATCH } from '@vring/vhost-net'
import type { FrameReceiver } from './frame-receiver.ts'

const EAGAIN = -11

/**
 * Receives by io_uring: slot i of the ring is for ever the read of slot i of the buffer, so that a batch writes nothing
 * but the ring's tail, and is one system call.
 *
 * How many reads are asked for follows the traffic, from one to a full batch, as each that finds nothing costs time.
 */
export class UringReceiver implements FrameReceiver {
  readonly io = 'io_uring'
  readonly buffer: ArrayBuffer
  readonly slotBytes: number
  readonly slot: Uint32Array = new Uint32Array(NET_BATCH)
  readonly length: Uint32Array = new Uint32Array(NET_BATCH)
  errno = 0
  private readonly ring: IoUring
  private ask = 1

  /** @throws VringError ERR_SYSTEM where io_uring is missing or forbidden */
  constructor(fd: number, slotBytes: number) {
    this.slotBytes = slotBytes
    this.buffer = new ArrayBuffer(NET_BATCH * slotBytes)
    this.ring = IoUring.create(NET_BATCH)
    try {
      this.ring.registerFiles([fd])
    } catch (error) {
      this.ring.close()
      throw error
    }
    const base = nativeAddress(this.buffer)
    const { sqes, entries } = this.ring
    for (let i = 0; i < entries; i++) {
      const at = i * SQE_WORDS
      const address = base + i * slotBytes
      sqes[at + SQE_OPCODE] = IORING_OP_READ | (IOSQE_FIXED_FILE << 8)
      sqes[at + SQE_ADDRESS] = address
      sqes[at + SQE_ADDRESS + 1] = address / 2 ** 32
      sqes[at + SQE_LENGTH] = slotBytes
      sqes[at + SQE_RW_FLAGS] = RWF_NOWAIT
    }
  }

  read(): number {
    const { ring, slot, length, ask } = this
    const first = ring.tail
    const taken = ring.submit(ask)
    let count = 0
    this.errno = taken < ask ? ring.errno : 0
    for (let i = 0; i < taken; i++) {
      const result = ring.result(i)
      if (result > 0) {
        slot[count] = (first + i) & (ring.entries - 1)
        length[count++] = result
      } else if (result !== EAGAIN) this.errno = -result
    }
    ring.release(taken)
    this.ask = count === ask ? Math.min(NET_BATCH, 4 * ask) : Math.max(1, count)
    return count
  }

  close(): void {
    this.ring.close()
  }
}
