import { refused } from '@vring/layout'
import { CLOCK_MONOTONIC, EAGAIN_ERRNO, EINTR, ITIMERSPEC, TFD_CLOEXEC, TFD_NONBLOCK, TIMESPEC } from '../abi.ts'
import { closeFd } from '../descriptors/fd.ts'
import { checked, fixedBytes, type Libc, libc } from '../libc.ts'
import { systemError } from '../system-error.ts'

/** A timerfd: a descriptor that becomes readable when its time has come, for a loop that sleeps in poll(2). */
export class TimerFd {
  readonly fd: number
  readonly #libc: Libc
  readonly #setting = fixedBytes(ITIMERSPEC.size)
  readonly #view: DataView
  readonly #count = fixedBytes(8)
  #closed = false

  private constructor(fd: number) {
    this.fd = fd
    this.#libc = libc()
    this.#view = new DataView(this.#setting.buffer)
  }

  /** @throws VringError ERR_SYSTEM */
  static create(): TimerFd {
    return new TimerFd(checked('timerfd_create', (c) => c.timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)))
  }

  /**
   * Makes it readable once, after this time, in place of the time that was set before.
   *
   * @param ms at least 0; less than a nanosecond counts as one; Infinity: never
   * @throws VringError ERR_OUT_OF_RANGE, ERR_SYSTEM
   */
  set(ms: number): void {
    const never = ms === Number.POSITIVE_INFINITY
    if (!never && !(ms >= 0 && ms < 2 ** 52)) throw refused('ERR_OUT_OF_RANGE', 'ms', ms, '0 to 2^52, or Infinity')
    if (this.#closed) return
    const seconds = never ? 0 : Math.floor(ms / 1000)
    // All zero switches it off.
    const nanoseconds = never ? 0 : Math.max(Math.floor((ms - seconds * 1000) * 1e6), seconds === 0 ? 1 : 0)
    this.#view.setBigInt64(ITIMERSPEC.it_value + TIMESPEC.tv_sec, BigInt(seconds), true)
    this.#view.setBigInt64(ITIMERSPEC.it_value + TIMESPEC.tv_nsec, BigInt(nanoseconds), true)
    checked('timerfd_settime', (c) => c.timerfd_settime(this.fd, 0, this.#setting, null))
  }

  /**
   * Makes it unreadable again.
   *
   * @returns had its time come?
   * @throws VringError ERR_SYSTEM
   */
  drain(): boolean {
    if (this.#closed) return false
    while (this.#libc.read(this.fd, this.#count, 8) !== 8) {
      const errno = this.#libc.errno()
      if (errno === EAGAIN_ERRNO) return false
      if (errno !== EINTR) throw systemError('read', errno, `timerfd ${this.fd}`)
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
