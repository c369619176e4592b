import { EINTR, POLLFD, POLLIN, POLLOUT } from '../abi.ts'
import { fixedBytes, type Libc, libc } from '../libc.ts'
import { systemError } from '../system-error.ts'

/**
 * poll(2) over a set of descriptors that changes rarely. The set is kept in the kernel's form, so that waiting costs
 * one call and no allocation.
 */
export class PollSet {
  readonly #libc: Libc = libc()
  #fds: number[] = []
  #bytes: Uint8Array = fixedBytes(0)
  #words: Int16Array = new Int16Array(0)
  #timeoutMs = 0

  /**
   * Replaces the set: wait for these descriptors to be readable (POLLIN), and for those to be writable (POLLOUT), with
   * errors and hang-ups reported as well. A descriptor may be in both.
   */
  watch(readable: readonly number[], writable: readonly number[] = []): void {
    this.#fds = [...readable, ...writable]
    this.#bytes = fixedBytes(POLLFD.size * this.#fds.length)
    const numbers = new Int32Array(this.#bytes.buffer)
    this.#words = new Int16Array(this.#bytes.buffer)
    for (const [index, fd] of this.#fds.entries()) {
      numbers[2 * index] = fd
      this.#words[4 * index + 2] = index < readable.length ? POLLIN : POLLOUT
    }
  }

  /** Descriptors in the set, in the order of {@link revents}: the readable ones first. */
  get fds(): readonly number[] {
    return this.#fds
  }

  /**
   * Waits for one of them.
   *
   * @param timeoutMs 0: do not wait; -1: without end. A signal does not shorten it.
   * @returns how many have something to report
   * @throws VringError ERR_SYSTEM
   */
  wait(timeoutMs: number): number {
    this.#timeoutMs = timeoutMs
    const end = timeoutMs > 0 ? performance.now() + timeoutMs : 0
    for (;;) {
      const ready = this.#libc.poll(this.#bytes, this.#fds.length, this.#timeoutMs)
      if (ready >= 0) return ready
      const errno = this.#libc.errno()
      if (errno !== EINTR) throw systemError('poll', errno, `${this.#fds.length} descriptors`)
      if (timeoutMs > 0) this.#timeoutMs = Math.max(0, Math.ceil(end - performance.now()))
    }
  }

  /**
   * {@link wait} in another thread of the pool that `node:fs` uses, one for each call: JavaScript's event loop goes on.
   *
   * @throws VringError ERR_SYSTEM
   */
  async waitAsync(timeoutMs: number): Promise<number> {
    const bytes = this.#bytes
    const ready = await this.#libc.pollAsync(bytes, this.#fds.length, timeoutMs)
    // A signal ends it early: the caller looks, finds nothing and waits again.
    return Math.max(ready, 0)
  }

  /**
   * What the last {@link wait} reported for the descriptor at `index`: a set of POLLIN, POLLOUT, POLLERR, POLLHUP,
   * POLLNVAL.
   */
  revents(index: number): number {
    return this.#words[4 * index + 3]!
  }
}
