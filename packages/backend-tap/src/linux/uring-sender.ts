import {
  IORING_OP_WRITE,
  IORING_OP_WRITE_FIXED,
  IOSQE_FIXED_FILE,
  IoUring,
  isFilled,
  pageBytesOf,
  RWF_NOWAIT,
  SQE_ADDRESS,
  SQE_BUF_INDEX,
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

/** Pieces of memory that can be registered at once; frames of others are written all the same. */
const BUFFERS = 64
/** From this page size on memory is registered, if it is in memory anyway. Smaller pages would all be brought in. */
const PINNED_PAGE_BYTES = 2 ** 21

/**
 * Sends by io_uring: every slot of the ring is the same write, of which a frame sets address and length. A batch is one
 * system call. Writes do not wait (RWF_NOWAIT): all of them are done when the call returns.
 *
 * A driver's memory of huge pages is registered with the ring. The kernel then copies frames from its own mapping,
 * which takes a sixth off a write of 64 bytes. Not that of a file with holes (a driver that reserves more than it uses,
 * as QEMU's virtio-mem does). Registering would fill them, with huge pages that are the host's.
 */
export class UringSender implements FrameSender {
  readonly io = 'io_uring'
  readonly room = NET_BATCH
  private readonly ring: IoUring
  private count = 0
  /** Index of each registered piece of memory. */
  private readonly registered = new Map<ArrayBufferLike, number>()
  /** What is not to be registered, or can't (RLIMIT_MEMLOCK): a refusal costs the kernel a look at every page. */
  private unregistered = new WeakSet<ArrayBufferLike>()
  private readonly registers: boolean

  /** @throws VringError ERR_SYSTEM where io_uring is missing or forbidden, or can't write to this file without waiting */
  constructor(fd: number) {
    this.ring = IoUring.create(NET_BATCH)
    try {
      this.ring.registerFiles([fd])
      this.registers = this.ring.registerBufferTable(BUFFERS)
      const { sqes, entries } = this.ring
      for (let at = 0; at < entries * SQE_WORDS; at += SQE_WORDS) sqes[at + SQE_RW_FLAGS] = RWF_NOWAIT
      this.writeFrom(-1)
      this.probe()
    } catch (error) {
      this.ring.close()
      throw error
    }
  }

  use(memory: ArrayBufferLike, address: number): void {
    this.writeFrom(this.registered.get(memory) ?? this.register(memory, address))
  }

  forget(): void {
    for (const index of this.registered.values()) this.ring.setBuffer(index, 0, 0)
    this.registered.clear()
    this.unregistered = new WeakSet()
    this.writeFrom(-1)
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

  /** Index of the memory as a registered buffer, or -1. Asked of each memory once, until it is forgotten. */
  private register(memory: ArrayBufferLike, address: number): number {
    const index = this.registered.size
    if (!this.registers || index === BUFFERS || this.unregistered.has(memory)) return -1
    const resident = pageBytesOf(memory) >= PINNED_PAGE_BYTES && isFilled(memory)
    if (!resident || this.ring.setBuffer(index, address, memory.byteLength) < 0) {
      this.unregistered.add(memory)
      return -1
    }
    this.registered.set(memory, index)
    return index
  }

  /** Makes all entries writes from registered buffer `index`; -1: from any memory. */
  private writeFrom(index: number): void {
    const { sqes, entries } = this.ring
    const opcode = index < 0 ? IORING_OP_WRITE : IORING_OP_WRITE_FIXED
    for (let at = 0; at < entries * SQE_WORDS; at += SQE_WORDS) {
      sqes[at + SQE_OPCODE] = opcode | (IOSQE_FIXED_FILE << 8)
      sqes[at + SQE_BUF_INDEX] = Math.max(index, 0)
    }
  }

  close(): void {
    this.ring.close()
  }

  /**
   * A write of nothing: tun refuses it with EINVAL before it counts anything; a kernel without RWF_NOWAIT for tun says
   * so.
   */
  private probe(): void {
    this.push(0, 0)
    let errno = 0
    this.flush((refused) => {
      errno = refused
    })
    if (errno === EOPNOTSUPP) throw systemError('io_uring_enter', errno, 'a write that does not wait')
  }
}
