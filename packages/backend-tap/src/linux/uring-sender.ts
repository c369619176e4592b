import {
  IORING_OP_WRITE,
  IOSQE_FIXED_FILE,
  IoUring,
  RWF_NOWAIT,
  SQE_ADDRESS,
  SQE_LENGTH,
  SQE_OPCODE,
  SQE_RW_FLAGS,
  SQE_WORDS,
  systemError,
} from '@vring/linux'
import { NET_BATCH } from '@vring/vhost-net'
import type { FrameSender } from './frame-sender.ts'

const EOPNOTSUPP = 95
/** The kernel had no memory to take them. */
const ENOBUFS = 105
/** Times that a submission that the kernel cut short is tried again before its frames count as refused. */
const RETRIES = 3

/**
 * Sends by io_uring: every slot of the ring is the same write, of which a frame sets address and length; a batch is one
 * system call. Writes do not wait (RWF_NOWAIT): all of them are done when the call returns.
 */
export class UringSender implements FrameSender {
  readonly io = 'io_uring'
  readonly room = NET_BATCH
  private readonly ring: IoUring
  private count = 0

  /** @throws VringError ERR_SYSTEM where io_uring is missing or forbidden, or can't write to this file without waiting */
  constructor(fd: number) {
    this.ring = IoUring.create(NET_BATCH)
    try {
      this.ring.registerFiles([fd])
      const { sqes, entries } = this.ring
      for (let at = 0; at < entries * SQE_WORDS; at += SQE_WORDS) {
        sqes[at + SQE_OPCODE] = IORING_OP_WRITE | (IOSQE_FIXED_FILE << 8)
        sqes[at + SQE_RW_FLAGS] = RWF_NOWAIT
      }
      this.probe()
    } catch (error) {
      this.ring.close()
      throw error
    }
  }

  push(address: number, length: number): void {
    const { sqes, entries, tail } = this.ring
    const at = ((tail + this.count++) & (entries - 1)) * SQE_WORDS
    sqes[at + SQE_ADDRESS] = address
    sqes[at + SQE_ADDRESS + 1] = address / 2 ** 32
    sqes[at + SQE_LENGTH] = length
  }

  flush(refused: (errno: number) => void): void {
    const ring = this.ring
    for (let attempt = 0; this.count > 0; attempt++) {
      const taken = ring.submit(this.count)
      for (let i = 0; i < taken; i++) {
        const result = ring.result(i)
        if (result < 0) refused(-result)
      }
      ring.release(taken)
      this.count -= taken
      if (attempt === RETRIES) {
        for (; this.count > 0; this.count--) refused(ENOBUFS)
      }
    }
  }

  close(): void {
    this.ring.close()
  }

  /** A write of nothing: tun refuses it with EINVAL before it counts anything; a kernel without RWF_NOWAIT for tun says so. */
  private probe(): void {
    this.push(0, 0)
    let errno = 0
    this.flush((refused) => {
      errno = refused
    })
    if (errno === EOPNOTSUPP) throw systemError('io_uring_enter', errno, 'a write that does not wait')
  }
}
