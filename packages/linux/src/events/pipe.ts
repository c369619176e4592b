import { EAGAIN } from '@vring/layout'
import {
  EAGAIN_ERRNO,
  EINTR,
  EPIPE,
  F_GETFL,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  O_CLOEXEC,
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
  SHUT_RD,
} from '../abi.ts'
import { closeReceived } from '../descriptors/close-received.ts'
import { closeFd } from '../descriptors/fd.ts'
import { checked, fixedBytes, type Libc, libc } from '../libc.ts'
import { systemError } from '../system-error.ts'

/**
 * Opens a pipe again. Whether its calls wait is a property of the open file, which another process that shares it may
 * change at any moment. This one is not shared.
 */
function openAgain(fd: number, flags: number): number {
  return checked('open', (c) => c.open(`/proc/self/fd/${fd}`, flags | O_NONBLOCK | O_CLOEXEC), `/proc/self/fd/${fd}`)
}

/** A pipe that is signalled as an eventfd is, by 8 bytes. Never waits. */
export class PipeSignal {
  readonly fd: number
  readonly #libc: Libc = libc()
  readonly #one = fixedBytes(8)
  #closed = false

  /**
   * Takes ownership of the end that is written.
   *
   * @throws VringError ERR_SYSTEM (`ENXIO`: no process has it open for reading); the descriptor stays the caller's then
   */
  constructor(fd: number) {
    this.fd = openAgain(fd, O_WRONLY)
    this.#one[0] = 1
    closeFd(fd)
  }

  /**
   * Writes once. A pipe that is full is as good as signalled, and one without a reader needs no signal.
   *
   * @throws VringError ERR_SYSTEM
   */
  signal(): void {
    if (this.#closed) return
    while (this.#libc.write(this.fd, this.#one, 8) < 0) {
      const errno = this.#libc.errno()
      if (errno === EAGAIN_ERRNO || errno === EPIPE) return
      if (errno !== EINTR) throw systemError('write', errno, `pipe ${this.fd}`)
    }
  }

  /** Nothing is ever read from it. */
  drain(): boolean {
    return false
  }

  /** Closes the descriptor. A second call does nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeFd(this.fd)
  }
}

/**
 * A stream socket that is signalled as an eventfd is, by 8 bytes: what User-Mode Linux calls a pipe, and reads its
 * interrupts from. Never waits, and says that it reads nothing.
 */
export class SocketSignal {
  readonly fd: number
  readonly #libc: Libc = libc()
  readonly #one = fixedBytes(8)
  #closed = false

  /**
   * Takes ownership of the descriptor.
   *
   * @throws VringError ERR_SYSTEM (`ENOTCONN`); the descriptor stays the caller's then
   */
  constructor(fd: number) {
    this.fd = fd
    this.#one[0] = 1
    checked('shutdown', (c) => c.shutdown(fd, SHUT_RD), `socket ${fd}`)
  }

  /** Sends once. A socket that is full is as good as signalled, and one without a reader needs no signal. */
  signal(): void {
    if (!this.#closed) this.#libc.sendto(this.fd, this.#one, 8, MSG_DONTWAIT | MSG_NOSIGNAL, null, 0)
  }

  /** Nothing is ever read from it. */
  drain(): boolean {
    return false
  }

  /** Closes the descriptor. A second call does nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeReceived(this.fd)
  }
}

/** A file as a stream of bytes, from where it stands. */
export class FileStream {
  readonly fd: number
  readonly #libc: Libc = libc()
  #closed = false

  /** Takes ownership of the descriptor. */
  constructor(fd: number) {
    this.fd = fd
  }

  /** @returns bytes, 0 at the end, or -EAGAIN. @throws VringError ERR_SYSTEM */
  read(into: Uint8Array): number {
    const buffer = fixedBytes(into.length)
    const count = this.#done('read', this.#libc.read(this.fd, buffer, buffer.length))
    if (count > 0) into.set(buffer.subarray(0, count))
    return count
  }

  /** @returns bytes, or -EAGAIN. @throws VringError ERR_SYSTEM */
  write(from: Uint8Array): number {
    const buffer = fixedBytes(from.length)
    buffer.set(from)
    return this.#done('write', this.#libc.write(this.fd, buffer, buffer.length))
  }

  /** Closes the descriptor. A second call does nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeFd(this.fd)
  }

  #done(call: string, count: number): number {
    if (count >= 0) return count
    const errno = this.#libc.errno()
    if (errno === EAGAIN_ERRNO || errno === EINTR) return EAGAIN
    throw systemError(call, errno, `descriptor ${this.fd}`)
  }
}

/**
 * A pipe as a stream of bytes, either end of it. Never waits, whatever other process shares the descriptor that it was
 * made from.
 */
export class PipeStream extends FileStream {
  /**
   * Takes ownership of the descriptor.
   *
   * @throws VringError ERR_SYSTEM; the descriptor stays the caller's then
   */
  constructor(fd: number) {
    super(openAgain(fd, isWritable(fd) ? O_WRONLY : O_RDONLY))
    closeFd(fd)
  }
}

/** O_ACCMODE, the lowest two bits of the flags. */
function isWritable(fd: number): boolean {
  return (checked('fcntl', (c) => c.fcntl(fd, F_GETFL, 0), `F_GETFL of ${fd}`) & 3) !== O_RDONLY
}
