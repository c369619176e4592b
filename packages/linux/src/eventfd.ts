import { readlinkSync } from 'node:fs'
import { EAGAIN_ERRNO, EFD_CLOEXEC, EFD_NONBLOCK, EINTR } from './abi.ts'
import { closeFd } from './fd.ts'
import { checked, fixedBytes, type Libc, libc } from './libc.ts'
import { systemError } from './system-error.ts'

/**
 * Is the descriptor an eventfd? Undecidable hosts (no /proc) say yes: the calls then tell.
 */
export function isEventFd(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[eventfd]'
  } catch {
    return true
  }
}

/**
 * An eventfd: a 64-bit counter that one side adds to and the other waits for. Signalling and draining never wait and
 * never allocate.
 */
export class EventFd {
  readonly fd: number
  readonly #libc: Libc
  readonly #one = fixedBytes(8)
  readonly #count = fixedBytes(8)
  #closed = false

  /** Takes ownership of a non-blocking eventfd; {@link EventFd.create} makes a new one. */
  constructor(fd: number) {
    this.fd = fd
    this.#libc = libc()
    this.#one[0] = 1
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
    if (this.#closed) return
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
    while (this.#libc.read(this.fd, this.#count, 8) !== 8) {
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
    closeFd(this.fd)
  }
}
