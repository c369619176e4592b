import { refused } from '@vring/layout'
import { PollSet, systemErrnoOf, UnixListener, UnixSocket } from '@vring/linux'

/** Which end of the socket the backend is. */
export type SocketRole = 'server' | 'client'

export interface EndpointOptions {
  readonly path: string
  /** `server`: listen, and accept again after a disconnect. `client`: connect, again and again. */
  readonly role: SocketRole
  /** Least time between two attempts to connect, or to accept after an error that passes, in ms. Default 1000. */
  readonly retryMs?: number
  /** A descriptor that wakes {@link VhostUserEndpoint.next} from another thread. */
  readonly wakeFd?: number
  /** Asked after every wake-up, and once a second; true ends the waiting. Default never. */
  readonly shouldStop?: () => boolean
}

/** How often a waiting endpoint asks whether it should stop, in ms. */
const ASK_MS = 1000

/** Errors of connect(2) that say that the other side is not there yet. */
const NOT_YET = new Set(['ENOENT', 'ECONNREFUSED', 'EAGAIN'])

/** Errors that pass: the process or the host is out of something, or the other side is gone again. */
const PASSING = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'ECONNABORTED'])

/** Where a frontend comes from, over and over: the reconnecting half of a backend, in both socket roles. */
export class VhostUserEndpoint {
  readonly #options: EndpointOptions
  readonly #retryMs: number
  readonly #listener: UnixListener | null
  readonly #poll = new PollSet()
  /** Without the listener: what waits there would end the waiting at once. */
  readonly #pause = new PollSet()
  #attemptedAt = Number.NEGATIVE_INFINITY

  /**
   * A server binds its path at once.
   *
   * @throws VringError ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE, ERR_SYSTEM
   */
  constructor(options: EndpointOptions) {
    const { role, path, retryMs = 1000, wakeFd } = options
    if (role !== 'server' && role !== 'client')
      throw refused('ERR_INVALID_ARGUMENT', 'role', role, "'server' or 'client'")
    if (!(retryMs >= 1)) throw refused('ERR_OUT_OF_RANGE', 'retryMs', retryMs, 'at least 1')
    this.#options = options
    this.#retryMs = retryMs
    this.#listener = role === 'server' ? UnixListener.listen(path) : null
    const wake = wakeFd === undefined ? [] : [wakeFd]
    this.#poll.watch(this.#listener === null ? wake : [this.#listener.fd, ...wake])
    this.#pause.watch(wake)
  }

  /**
   * Waits for the next frontend. Blocks the thread.
   *
   * @returns its socket, or null when `shouldStop` said so
   * @throws VringError ERR_CLOSED, ERR_SYSTEM
   */
  next(): UnixSocket | null {
    for (;;) {
      if (this.#options.shouldStop?.() ?? false) return null
      const socket = this.#listener === null ? this.#connect() : this.#accept(this.#listener)
      if (socket !== null) return socket
      this.#poll.wait(this.#listener === null ? Math.min(this.#untilRetry(), ASK_MS) : ASK_MS)
    }
  }

  /** Closes a server's listener and removes its path. */
  close(): void {
    this.#listener?.close()
  }

  /** Being out of descriptors for a while ends no server: the connection stays in the queue, and is tried again. */
  #accept(listener: UnixListener): UnixSocket | null {
    try {
      return listener.accept()
    } catch (error) {
      if (!PASSING.has(systemErrnoOf(error) ?? '')) throw error
      this.#pause.wait(Math.min(this.#retryMs, ASK_MS))
      return null
    }
  }

  /** One attempt, not more often than retryMs: a frontend that hangs up at once does not make this a busy loop. */
  #connect(): UnixSocket | null {
    if (this.#untilRetry() > 0) return null
    this.#attemptedAt = performance.now()
    try {
      return UnixSocket.connect(this.#options.path)
    } catch (error) {
      const errno = systemErrnoOf(error) ?? ''
      if (!NOT_YET.has(errno) && !PASSING.has(errno)) throw error
      return null
    }
  }

  #untilRetry(): number {
    return Math.max(0, Math.ceil(this.#attemptedAt + this.#retryMs - performance.now()))
  }
}
