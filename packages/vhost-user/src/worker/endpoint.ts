import { refused } from '@vring/layout'
import { PollSet, setNonBlocking, systemErrnoOf, UnixListener, UnixSocket, unixStreamState } from '@vring/linux'

/** Which end of the socket the backend is. */
export type SocketRole = 'server' | 'client'

export interface EndpointOptions {
  readonly path: string
  /**
   * A socket that is open already, in place of `path`: one that listens, or one that is connected, for one session. It is
   * closed with the endpoint.
   */
  readonly fd?: number
  /** `server`: listen, and accept again after a disconnect. `client`: connect, again and again. */
  readonly role: SocketRole
  /**
   * Least time from an attempt to connect that failed, or from an error of accepting that passes, to the next, in ms.
   * Default
   * 1000. From one that succeeded to the next it is at most 100: the frontend after one that hung up does not wait for it.
   */
  readonly retryMs?: number
}

/** Who else may end {@link VhostUserEndpoint.next}. */
export interface EndpointWait {
  /** A descriptor that wakes it from another thread. */
  readonly wakeFd?: number
  /** Asked after every wake-up, and once a second; true ends the waiting. Default never. */
  readonly shouldStop?: () => boolean
}

/** How often a waiting endpoint asks whether it should stop, in ms. */
const ASK_MS = 1000

/** Least time between two connections of a client, in ms. */
const AGAIN_MS = 100

/** Errors of connect(2) that say that the other side is not there yet. */
const NOT_YET = new Set(['ENOENT', 'ECONNREFUSED', 'EAGAIN'])

/** Errors that pass: the process or the host is out of something, or the other side is gone again. */
const PASSING = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'ECONNABORTED'])

/** Where a frontend comes from, over and over: the reconnecting half of a backend, in both socket roles. */
export class VhostUserEndpoint {
  readonly path: string
  readonly role: SocketRole
  readonly #retryMs: number
  readonly #listener: UnixListener | null
  /** A connection that was there from the beginning and was not taken yet. */
  #given: UnixSocket | null = null
  /** Nothing comes any more: the only connection was taken. */
  ended = false
  /** No attempt before this time, by `performance.now()`. */
  #notBefore = Number.NEGATIVE_INFINITY
  #closed = false

  /**
   * A server binds its path at once.
   *
   * @throws VringError ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE, ERR_SYSTEM
   */
  constructor({ role, path, fd, retryMs = 1000 }: EndpointOptions) {
    if (role !== 'server' && role !== 'client')
      throw refused('ERR_INVALID_ARGUMENT', 'role', role, "'server' or 'client'")
    if (!(retryMs >= 1)) throw refused('ERR_OUT_OF_RANGE', 'retryMs', retryMs, 'at least 1')
    const state = fd === undefined ? null : unixStreamState(fd)
    if (state === 'other') throw refused('ERR_INVALID_ARGUMENT', 'fd', fd, 'an AF_UNIX stream socket')
    this.path = path
    // A connection has to be looked for, as a client's has.
    this.role = state === 'connected' ? 'client' : role
    this.#retryMs = retryMs
    if (state === 'connected') this.#given = adoptConnection(fd!)
    if (state === 'listening') this.#listener = UnixListener.adopt(fd!)
    else this.#listener = state === null && role === 'server' ? UnixListener.listen(path) : null
  }

  /** Readable when a frontend waits; -1: nothing to wait on but {@link waitMs}. */
  get fd(): number {
    return this.#listener === null || this.#closed || this.#untilRetry() > 0 ? -1 : this.#listener.fd
  }

  /** How long to leave {@link take} alone unless {@link fd} is readable, in ms; -1: for ever. */
  get waitMs(): number {
    const left = this.#untilRetry()
    return this.#listener === null || left > 0 ? left : -1
  }

  /**
   * The next frontend's socket when one is there; never waits. A client attempts to connect, not more often than ten
   * times a second: a frontend that hangs up at once makes no busy loop. Being out of descriptors for a while ends no
   * server: the connection stays in the queue, and is tried again after retryMs.
   *
   * @throws VringError ERR_CLOSED, ERR_SYSTEM
   */
  take(): UnixSocket | null {
    if (this.#given !== null || this.ended) return this.#takeGiven()
    if (this.#untilRetry() > 0) return null
    if (this.#listener === null) this.#pause(Math.min(AGAIN_MS, this.#retryMs))
    try {
      return this.#listener === null
        ? UnixSocket.connect(this.path, 'stream', { untrusted: true })
        : this.#listener.accept()
    } catch (error) {
      const errno = systemErrnoOf(error) ?? ''
      if (!PASSING.has(errno) && (this.#listener !== null || !NOT_YET.has(errno))) throw error
      this.#pause(this.#retryMs)
      return null
    }
  }

  /**
   * Waits for the next frontend. Blocks the thread.
   *
   * @returns its socket, or null when `shouldStop` said so, or none comes any more
   * @throws VringError ERR_CLOSED, ERR_SYSTEM
   */
  next({ wakeFd = -1, shouldStop }: EndpointWait = {}): UnixSocket | null {
    const poll = new PollSet()
    for (;;) {
      if (shouldStop?.() ?? false) return null
      const socket = this.take()
      if (socket !== null || this.ended) return socket
      poll.watch([this.fd, wakeFd])
      const { waitMs } = this
      poll.wait(waitMs < 0 ? ASK_MS : Math.min(waitMs, ASK_MS))
    }
  }

  /** Closes a server's listener and removes its path, unless it was given open. */
  close(): void {
    this.#closed = true
    this.#given?.close()
    this.#listener?.close()
  }

  #takeGiven(): UnixSocket | null {
    const given = this.#given
    this.#given = null
    this.ended = true
    return given
  }

  #pause(ms: number): void {
    this.#notBefore = performance.now() + ms
  }

  #untilRetry(): number {
    return Math.max(0, Math.ceil(this.#notBefore - performance.now()))
  }
}

function adoptConnection(fd: number): UnixSocket {
  setNonBlocking(fd)
  return new UnixSocket(fd, { untrusted: true })
}
