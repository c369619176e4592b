import { refused } from '@vring/layout'
import { EINTR } from '../abi.ts'
import { closeFd } from '../descriptors/fd.ts'
import { fixedBytes, type Libc, libc } from '../libc.ts'
import { Mapping } from '../memory/mapping.ts'
import { nativeAddress } from '../native-address.ts'
import { systemError } from '../system-error.ts'

/** 32-bit words of one submission queue entry (struct io_uring_sqe, 64 bytes). */
export const SQE_WORDS = 16
/** Word of an entry: opcode, flags and I/O priority, from the low byte up. */
export const SQE_OPCODE = 0
/** Word of an entry: file descriptor, or index of a registered file with {@link IOSQE_FIXED_FILE}. */
export const SQE_FD = 1
/** Words of an entry: address of the buffer, low half first. */
export const SQE_ADDRESS = 4
/** Word of an entry: bytes of the buffer. */
export const SQE_LENGTH = 6
/** Word of an entry: flags of the read or write, {@link RWF_NOWAIT}. */
export const SQE_RW_FLAGS = 7
/** Word of an entry, instead of {@link SQE_RW_FLAGS}: what a poll waits for, {@link POLLIN}. */
export const SQE_POLL_EVENTS = 7
/** Word of an entry: what its completion gives as {@link IoUring.userData}; the low half of 64 bits. */
export const SQE_USER_DATA = 8

/** Completes once, when the file is ready: at once if it is already. */
export const IORING_OP_POLL_ADD = 6
/** Ends the poll whose user data is at {@link SQE_ADDRESS}. */
export const IORING_OP_POLL_REMOVE = 7
/** Word of an entry: index of the registered buffer, for {@link IORING_OP_WRITE_FIXED}. */
export const SQE_BUF_INDEX = 10

export const IORING_OP_READ_FIXED = 4
export const IORING_OP_WRITE_FIXED = 5
export const IORING_OP_READ = 22
export const IORING_OP_WRITE = 23
/** In the second byte of {@link SQE_OPCODE}: the descriptor is an index of the registered files. */
export const IOSQE_FIXED_FILE = 1

/** struct io_uring_params and its offsets, `<linux/io_uring.h>`, in 32-bit words. */
const PARAMS = { bytes: 120, sq_entries: 0, cq_entries: 1, flags: 2, features: 5, sq_off: 10, cq_off: 20 } as const
const SQ_OFF = { tail: 1, ring_mask: 2, flags: 4, array: 6 } as const
const CQ_OFF = { head: 0, tail: 1, ring_mask: 2, cqes: 5 } as const
/** 32-bit words of a completion: user data (2), result, flags. */
const CQE_WORDS = 4
const IORING_OFF_RINGS = 0
const IORING_OFF_SQES = 0x1000_0000
const IORING_FEAT_SINGLE_MMAP = 1
const IORING_ENTER_GETEVENTS = 1
const IORING_REGISTER_FILES = 2
const IORING_UNREGISTER_FILES = 3
const IORING_REGISTER_BUFFERS2 = 15
const IORING_REGISTER_BUFFERS_UPDATE = 16
const IORING_RSRC_REGISTER_SPARSE = 1
/**
 * Go on after an entry that fails, no interrupts for completions, a flag in the ring that some can be fetched, one
 * thread submits, completions only in its calls. They came with Linux 5.18, 5.19, 5.19, 6.0, 6.1.
 */
const SETUP_FLAGS = (1 << 7) | (1 << 8) | (1 << 9) | (1 << 12) | (1 << 13)
const IORING_SQ_TASKRUN = 4
const NOTHING = new Uint32Array(0)

/**
 * An io_uring whose rings are driven from here over mapped memory: one system call for a batch.
 *
 * ```
 *   sqes   | entry 0 | entry 1 | ...          filled by the owner, slot = (tail + i) & (entries - 1)
 *   SQ     head -> tail                       the kernel takes up to tail
 *   CQ     head -> tail, results in order     filled by the kernel, released by the owner
 * ```
 *
 * Made for synchronous batches. {@link submit} returns when everything it took is complete. So a queue of entries that
 * never change can be submitted again without writing them. What it is told not to wait for is in flight until
 * {@link pending} says that a call will find something. It belongs to the thread that made it.
 */
export class IoUring {
  readonly fd: number
  /** Slots of the submission queue; a power of two. */
  readonly entries: number
  /** All submission queue entries, {@link SQE_WORDS} each; zero at first. */
  sqes: Uint32Array
  /** Free-running index of the next entry to fill. */
  tail = 0
  /** Errno, positive, of the last submission that was cut short. */
  errno = 0
  /** System calls of {@link submit} so far. */
  calls = 0

  private readonly libc: Libc
  private readonly rings: Mapping
  private readonly entriesMapping: Mapping
  private words: Uint32Array
  private results: Int32Array
  private readonly sqTail: number
  private readonly sqFlags: number
  private readonly cqHead: number
  private readonly cqTail: number
  private readonly cqes: number
  private readonly cqMask: number
  private head = 0
  private filesRegistered = false
  private closed = false

  private constructor(fd: number, params: Uint32Array) {
    const sq = (field: number): number => params[PARAMS.sq_off + field]!
    const cq = (field: number): number => params[PARAMS.cq_off + field]!
    const cqEntries = params[PARAMS.cq_entries]!
    this.fd = fd
    this.libc = libc()
    this.entries = params[PARAMS.sq_entries]!
    const length = Math.max(sq(SQ_OFF.array) + 4 * this.entries, cq(CQ_OFF.cqes) + 4 * CQE_WORDS * cqEntries)
    this.rings = Mapping.of(fd, { length, offset: IORING_OFF_RINGS, populate: true })
    try {
      this.entriesMapping = Mapping.of(fd, {
        length: 4 * SQE_WORDS * this.entries,
        offset: IORING_OFF_SQES,
        populate: true,
      })
    } catch (error) {
      this.rings.unmap()
      throw error
    }
    this.sqes = new Uint32Array(this.entriesMapping.buffer)
    this.words = new Uint32Array(this.rings.buffer)
    this.results = new Int32Array(this.rings.buffer)
    this.sqTail = sq(SQ_OFF.tail) >>> 2
    this.sqFlags = sq(SQ_OFF.flags) >>> 2
    this.cqHead = cq(CQ_OFF.head) >>> 2
    this.cqTail = cq(CQ_OFF.tail) >>> 2
    this.cqes = cq(CQ_OFF.cqes) >>> 2
    this.cqMask = cqEntries - 1
    // Slot i of the queue is always entry i: the indirection of the ring is not needed.
    const array = sq(SQ_OFF.array) >>> 2
    for (let i = 0; i < this.entries; i++) this.words[array + i] = i
  }

  /**
   * @param entries slots of the submission queue; a power of two from 1 to 4096
   * @throws VringError ERR_OUT_OF_RANGE; ERR_SYSTEM where io_uring is missing (ENOSYS) or forbidden (EPERM)
   */
  static create(entries: number): IoUring {
    if (!(Number.isInteger(entries) && entries >= 1 && entries <= 4096 && (entries & (entries - 1)) === 0))
      throw refused('ERR_OUT_OF_RANGE', 'entries', entries, 'a power of two from 1 to 4096')
    const c = libc()
    const bytes = fixedBytes(PARAMS.bytes)
    const params = new Uint32Array(bytes.buffer)
    params[PARAMS.flags] = SETUP_FLAGS
    let fd = c.io_uring_setup(entries, bytes)
    if (fd < 0) {
      // An older kernel knows fewer flags; they are optimisations.
      bytes.fill(0)
      fd = c.io_uring_setup(entries, bytes)
    }
    if (fd < 0) throw systemError('io_uring_setup', c.errno(), `${entries} entries`)
    try {
      if ((params[PARAMS.features]! & IORING_FEAT_SINGLE_MMAP) === 0)
        throw refused('ERR_UNSUPPORTED', 'io_uring features', params[PARAMS.features], 'IORING_FEAT_SINGLE_MMAP')
      return new IoUring(fd, params)
    } catch (error) {
      closeFd(fd)
      throw error
    }
  }

  /**
   * Lets entries name an open file by its index here, which saves the kernel a look-up for each.
   *
   * @throws VringError ERR_SYSTEM
   */
  registerFiles(fds: readonly number[]): void {
    const numbers = fixedBytes(4 * fds.length)
    new Int32Array(numbers.buffer).set(fds)
    if (this.libc.io_uring_register(this.fd, IORING_REGISTER_FILES, numbers, fds.length) < 0)
      throw systemError('io_uring_register', this.libc.errno(), 'IORING_REGISTER_FILES')
    this.filesRegistered = true
  }

  /**
   * Makes a table of `count` buffers, none of them there yet: see {@link setBuffer}.
   *
   * @returns false where the kernel has no such tables (before Linux 5.19)
   */
  registerBufferTable(count: number): boolean {
    const request = new Uint32Array(fixedBytes(32).buffer)
    request[0] = count
    request[1] = IORING_RSRC_REGISTER_SPARSE
    const bytes = new Uint8Array(request.buffer)
    return this.libc.io_uring_register(this.fd, IORING_REGISTER_BUFFERS2, bytes, bytes.length) >= 0
  }

  /**
   * Registers memory, at most 1 GiB, as buffer `index`, or takes it out again with a length of 0. Its pages are in
   * memory and stay there until then. Reads and writes of it save the kernel the checks and the toggling of SMAP of a
   * user copy.
   *
   * @param address native address, as of `nativeAddress`
   * @returns 0 or a negative errno
   */
  setBuffer(index: number, address: number, length: number): number {
    const range = new BigUint64Array(fixedBytes(16).buffer)
    range[0] = BigInt(address)
    range[1] = BigInt(length)
    const bytes = fixedBytes(32)
    const request = new DataView(bytes.buffer)
    request.setUint32(0, index, true)
    request.setBigUint64(8, BigInt(nativeAddress(range.buffer)), true)
    request.setUint32(24, 1, true)
    const result = this.libc.io_uring_register(this.fd, IORING_REGISTER_BUFFERS_UPDATE, bytes, bytes.length)
    return result < 0 ? -this.libc.errno() : 0
  }

  /**
   * Submits the next `count` entries and waits until all that were taken are complete. Normally one system call.
   *
   * @param wait completions to wait for instead; entries that complete at once have done so in any case
   * @returns how many were taken; fewer than `count` when the kernel is short of memory, the reason in {@link errno}.
   * The rest is not submitted, and {@link tail} is its first entry
   */
  submit(count: number, wait: number = count): number {
    const words = this.words
    const start = this.tail
    // Entries first, then the tail: pairs with the kernel's acquire of it in io_get_sqrings, io_uring_enter.
    Atomics.store(words, this.sqTail, (start + count) >>> 0)
    let taken = 0
    while (taken < count || this.completions() < wait) {
      this.calls++
      const result = this.libc.io_uring_enter(this.fd, count - taken, wait, IORING_ENTER_GETEVENTS)
      if (result >= 0) {
        taken += result
        continue
      }
      const errno = this.libc.errno()
      if (errno === EINTR) continue
      this.errno = errno
      break
    }
    this.tail = (start + taken) >>> 0
    if (taken < count) Atomics.store(words, this.sqTail, this.tail)
    return taken
  }

  /** Completions that wait. */
  completions(): number {
    // Acquire: pairs with the kernel's release of the tail after the completions (io_commit_cqring).
    return (Atomics.load(this.words, this.cqTail) - this.head) >>> 0
  }

  /** Completions wait, or the next {@link submit} fetches some. No system call. */
  get pending(): boolean {
    return this.completions() > 0 || (Atomics.load(this.words, this.sqFlags) & IORING_SQ_TASKRUN) !== 0
  }

  /** Low half of the user data of the `index`th completion that waits. */
  userData(index: number): number {
    return this.words[this.cqes + CQE_WORDS * ((this.head + index) & this.cqMask)]!
  }

  /** Result of the `index`th completion that waits: a count of bytes, or a negative errno. */
  result(index: number): number {
    return this.results[this.cqes + CQE_WORDS * ((this.head + index) & this.cqMask) + 2]!
  }

  /** Gives the first `count` completions back. */
  release(count: number): void {
    this.head = (this.head + count) >>> 0
    // Release: the results were read before the kernel may write there again.
    Atomics.store(this.words, this.cqHead, this.head)
  }

  /** Lets go of registered files, mappings and the descriptor. A second call does nothing. */
  close(): void {
    if (this.closed) return
    this.closed = true
    // Here and now: the ring itself is torn down later, and would keep the files open until then.
    if (this.filesRegistered) this.libc.io_uring_register(this.fd, IORING_UNREGISTER_FILES, null, 0)
    this.sqes = this.words = NOTHING
    this.results = new Int32Array(0)
    this.rings.unmap()
    this.entriesMapping.unmap()
    closeFd(this.fd)
  }
}
