import { closeFd } from '../descriptors/fd.ts'
import { checked, fixedBytes, libc } from '../libc.ts'

const EPOLL_CLOEXEC = 0x8_0000
const EPOLL_CTL_ADD = 1
const EPOLL_CTL_DEL = 2
const EPOLLIN = 1
/** struct epoll_event: packed on x86-64, aligned elsewhere; the events come first in both. */
const EVENT_BYTES = 16

/** Several descriptors as one: it is readable while one of them is, for a loop that waits for one. */
export class EpollSet {
  readonly fd: number
  readonly #members = new Set<number>()
  #closed = false

  private constructor(fd: number) {
    this.fd = fd
  }

  /** @throws VringError ERR_SYSTEM */
  static create(): EpollSet {
    return new EpollSet(checked('epoll_create1', (c) => c.epoll_create1(EPOLL_CLOEXEC)))
  }

  /**
   * Replaces its members.
   *
   * @throws VringError ERR_SYSTEM
   */
  watch(fds: readonly number[]): void {
    if (this.#closed) return
    // A member that was closed left by itself.
    for (const fd of this.#members) if (!fds.includes(fd)) libc().epoll_ctl(this.fd, EPOLL_CTL_DEL, fd, null)
    for (const fd of fds) {
      if (this.#members.has(fd)) continue
      const event = fixedBytes(EVENT_BYTES)
      new DataView(event.buffer).setUint32(0, EPOLLIN, true)
      checked('epoll_ctl', (c) => c.epoll_ctl(this.fd, EPOLL_CTL_ADD, fd, event), `descriptor ${fd}`)
    }
    this.#members.clear()
    for (const fd of fds) this.#members.add(fd)
  }

  /** Closes it; its members stay open. A second call does nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeFd(this.fd)
  }
}
