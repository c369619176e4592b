import {
  IORING_OP_POLL_ADD,
  IORING_OP_POLL_REMOVE,
  IORING_OP_READ,
  IORING_OP_READ_FIXED,
  IOSQE_FIXED_FILE,
  IoUring,
  nativeAddress,
  POLLIN,
  RWF_NOWAIT,
  SQE_ADDRESS,
  SQE_LENGTH,
  SQE_OPCODE,
  SQE_POLL_EVENTS,
  SQE_RW_FLAGS,
  SQE_USER_DATA,
  SQE_WORDS,
} from '@vring/linux'
import { NET_BATCH } from '@vring/vhost-net'
import type { FrameReceiver } from './frame-receiver.ts'

const EAGAIN = -11
/** User data of polls, in turn: one may still be in flight, about to complete, when the next is submitted. */
const POLLS: readonly [number, number] = [NET_BATCH, NET_BATCH + 1]
/** User data of what ends them. */
const REMOVE = NET_BATCH + 2

/**
 * Receives by io_uring. Slot i of the ring is for ever the read of slot i of the buffer. So a batch writes nothing but
 * the ring's tail, and is one system call.
 *
 * How many reads are asked for follows the traffic, from one to a full batch, as each that finds nothing costs time. A
 * read of one frame is followed by a poll in the same call. Where it finds more frames it completes at once. Else the
 * TAP is empty, and until the poll completes {@link read} looks at the mapped ring only. An idle TAP costs no system
 * call.
 */
export class UringReceiver implements FrameReceiver {
  readonly io = 'io_uring'
  readonly buffer: ArrayBuffer
  readonly slotBytes: number
  readonly slot: Uint32Array = new Uint32Array(NET_BATCH)
  readonly length: Uint32Array = new Uint32Array(NET_BATCH)
  errno = 0
  private readonly ring: IoUring
  private readonly base: number
  private readonly readOpcode: number
  private ask = 1
  /** Polls in flight: the TAP was empty when they were submitted. */
  private polls = 0
  private nextPoll: 0 | 1 = 0

  /** @throws VringError ERR_SYSTEM where io_uring is missing or forbidden */
  constructor(fd: number, slotBytes: number) {
    this.slotBytes = slotBytes
    this.buffer = new ArrayBuffer(NET_BATCH * slotBytes)
    this.base = nativeAddress(this.buffer)
    this.ring = IoUring.create(NET_BATCH)
    try {
      this.ring.registerFiles([fd])
    } catch (error) {
      this.ring.close()
      throw error
    }
    // Registered, the kernel writes it through its own mapping; it may be refused where little memory may be pinned.
    const registered =
      this.ring.registerBufferTable(1) && this.ring.setBuffer(0, this.base, this.buffer.byteLength) === 0
    this.readOpcode = registered ? IORING_OP_READ_FIXED : IORING_OP_READ
    for (let i = 0; i < this.ring.entries; i++) this.setRead(i)
  }

  /** System calls so far. */
  get calls(): number {
    return this.ring.calls
  }

  read(): number {
    const { ring, slot, length, ask } = this
    this.errno = 0
    if (this.polls > 0 && !ring.pending) return 0
    const first = ring.tail
    const pollSlot = (first + 1) & (ring.entries - 1)
    const polled = ask === 1
    if (polled) this.setPoll(pollSlot)
    const submitted = polled ? 2 : ask
    // Reads are complete when the call returns: they do not wait.
    const taken = ring.submit(submitted, ask)
    if (polled) {
      if (taken === submitted) this.polls++
      this.setRead(pollSlot)
    }
    if (taken < ask) this.errno = ring.errno
    const done = ring.completions()
    let count = 0
    for (let i = 0; i < done; i++) {
      const from = ring.userData(i)
      const result = ring.result(i)
      if (from >= NET_BATCH) this.polls--
      else if (result > 0) {
        slot[count] = from
        length[count++] = result
      } else if (result !== EAGAIN) this.errno = -result
    }
    ring.release(done)
    if (this.polls > 0) this.ask = 1
    else this.ask = count === ask ? Math.min(NET_BATCH, 4 * ask) : Math.max(1, count)
    return count
  }

  close(): void {
    if (this.polls > 0) this.endPolls()
    this.ring.close()
  }

  /** A poll holds on to the TAP, which would not go before the ring is torn down, some time later. */
  private endPolls(): void {
    const { ring } = this
    for (const [i, poll] of POLLS.entries()) {
      const at = this.entry(ring.tail + i, IORING_OP_POLL_REMOVE, REMOVE)
      ring.sqes[at + SQE_ADDRESS] = poll
    }
    ring.submit(POLLS.length)
    this.polls = 0
  }

  private setRead(index: number): void {
    const address = this.base + index * this.slotBytes
    const at = this.entry(index, this.readOpcode | (IOSQE_FIXED_FILE << 8), index)
    const { sqes } = this.ring
    sqes[at + SQE_ADDRESS] = address
    sqes[at + SQE_ADDRESS + 1] = address / 2 ** 32
    sqes[at + SQE_LENGTH] = this.slotBytes
    sqes[at + SQE_RW_FLAGS] = RWF_NOWAIT
  }

  private setPoll(index: number): void {
    const at = this.entry(index, IORING_OP_POLL_ADD | (IOSQE_FIXED_FILE << 8), POLLS[this.nextPoll])
    this.ring.sqes[at + SQE_POLL_EVENTS] = POLLIN
    this.nextPoll = this.nextPoll === 0 ? 1 : 0
  }

  /** Empties an entry but for what all have; its first word. */
  private entry(index: number, opcode: number, userData: number): number {
    const { sqes, entries } = this.ring
    const at = (index & (entries - 1)) * SQE_WORDS
    sqes.fill(0, at, at + SQE_WORDS)
    sqes[at + SQE_OPCODE] = opcode
    sqes[at + SQE_USER_DATA] = userData
    return at
  }
}
