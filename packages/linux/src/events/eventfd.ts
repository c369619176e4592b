import { EAGAIN_ERRNO, EFD_CLOEXEC, EFD_NONBLOCK, EINTR, EOPNOTSUPP, IOVEC, RWF_NOWAIT } from '../abi.ts'
import { closeFd } from '../descriptors/fd.ts'
import { checked, fixedBytes, type Libc, libc } from '../libc.ts'
import { nativeAddress } from '../native-address.ts'
import { systemError } from '../system-error.ts'
import { EventSignaller } from './event-signaller.ts'

/** preadv2(2): read as read(2) does, at the file's own position. */
const NO_OFFSET = -1

/** What a descriptor in /proc leads to when it is an eventfd. */
const EVENTFD_LINK = 'anon_inode:[eventfd]'
const link = fixedBytes(EVENTFD_LINK.length + 1)

/**
 * Is the descriptor an eventfd? Undecidable hosts (no /proc) say yes: the calls then tell. By the C library: a device
 * is given three for each ring, and `node:fs` takes several times as long.
 */
export function isEventFd(fd: number): boolean {
  const length = libc().readlink(`/proc/self/fd/${fd}`, link, link.length)
  if (length < 0) return true
  if (length !== EVENTFD_LINK.length) return false
  for (let i = 0; i < length; i++) if (link[i] !== EVENTFD_LINK.charCodeAt(i)) return false
  return true
}

export interface EventFdOptions {
  /** A process that has the same open file may be hostile: signals go by an {@link EventSignaller}. Default false. */
  readonly shared?: boolean
}

/**
 * An eventfd: a 64-bit counter that one side adds to and the other waits for. Neither signalling nor draining waits or
 * allocates.
 *
 * Whether read(2) and write(2) wait is a property of the open file: a process that shares it may change it. Draining does
 * not go by it. Signalling does, unless the eventfd is `shared`: the kernel has no write to an eventfd that does not wait.
 */
export class EventFd {
  readonly fd: number
  readonly #libc: Libc
  readonly #one = fixedBytes(8)
  readonly #count = fixedBytes(8)
  readonly #iovec = fixedBytes(IOVEC.size)
  /** Null: by write(2). */
  readonly #signaller: EventSignaller | null
  #closed = false

  /** Takes ownership of a non-blocking eventfd; {@link EventFd.create} makes a new one. */
  constructor(fd: number, { shared = false }: EventFdOptions = {}) {
    this.fd = fd
    this.#libc = libc()
    this.#signaller = shared ? EventSignaller.acquire() : null
    this.#one[0] = 1
    const iovec = new DataView(this.#iovec.buffer)
    iovec.setBigUint64(IOVEC.iov_base, BigInt(nativeAddress(this.#count.buffer)), true)
    iovec.setBigUint64(IOVEC.iov_len, 8n, true)
  }

  /** No other process can make {@link signal} wait: false for one that is not `shared`, and where the kernel has no way. */
  get neverWaits(): boolean {
    return this.#signaller !== null
  }

  /** @throws VringError ERR_SYSTEM */
  static create(): EventFd {
    return new EventFd(checked('eventfd', (c) => c.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)))
  }

  /**
   * Adds one. A counter at its maximum is as good as signalled, so EAGAIN is no error.
   *
   * @throws VringError ERR_SYSTEM
   */
  signal(): void {
    if (this.#closed || this.#signaller?.signal(this.fd)) return
    while (this.#libc.write(this.fd, this.#one, 8) !== 8) {
      const errno = this.#libc.errno()
      if (errno === EAGAIN_ERRNO) return
      if (errno !== EINTR) throw systemError('write', errno, `eventfd ${this.fd}`)
    }
  }

  /**
   * Sets the counter to zero.
   *
   * @returns false when it was zero
   * @throws VringError ERR_SYSTEM
   */
  drain(): boolean {
    if (this.#closed) return false
    while (this.#read() !== 8) {
      const errno = this.#libc.errno()
      if (errno === EAGAIN_ERRNO) return false
      if (errno !== EINTR) throw systemError('read', errno, `eventfd ${this.fd}`)
    }
    return true
  }

  /** Closes the descriptor. A second call does nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#signaller?.release()
    closeFd(this.fd)
  }

  /** Before Linux 5.8 an eventfd has no read that does not wait: there the open file decides. */
  #read(): number {
    const { preadv2, read, errno } = this.#libc
    const result = preadv2(this.fd, this.#iovec, 1, NO_OFFSET, RWF_NOWAIT)
    return result < 0 && errno() === EOPNOTSUPP ? read(this.fd, this.#count, 8) : result
  }
}
