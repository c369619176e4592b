import { lstatSync, unlinkSync } from 'node:fs'
import { EAGAIN, refused, VringError } from '@vring/layout'
import {
  AF_UNIX,
  EAGAIN_ERRNO,
  EINTR,
  MSG_CMSG_CLOEXEC,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  POLLFD,
  POLLHUP,
  POLLOUT,
  SHUT_RD,
  SHUT_RDWR,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_SEQPACKET,
  SOCK_STREAM,
  SOCKADDR_UN,
} from '../abi.ts'
import { closeReceived } from '../descriptors/close-received.ts'
import { closeFd, setNonBlocking } from '../descriptors/fd.ts'
import { checked, fixedBytes, libc } from '../libc.ts'
import { systemErrnoOf, systemError } from '../system-error.ts'
import { RightsMessage, SCM_MAX_FD } from './rights.ts'

const STREAM = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK
const SEQPACKET = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK
/** Connections that wait to be accepted. */
const BACKLOG = 4
/** Bytes that one call sends or receives at most. */
const CHUNK_BYTES = 65_536
/** Messages that are dropped one by one when a connection is closed. */
const DROPPED_MAX = 64
const dropped = new Uint8Array(CHUNK_BYTES)

/** What this thread's sockets send and receive by: no call of one lasts into another's. */
interface Messages {
  readonly out: RightsMessage
  readonly in: RightsMessage
}

let messages: Messages | null = null

function threadMessages(): Messages {
  messages ??= { out: new RightsMessage(CHUNK_BYTES), in: new RightsMessage(CHUNK_BYTES) }
  return messages
}

export interface UnixSocketOptions {
  /**
   * The peer may be hostile. {@link UnixSocket.close} ends the connection for every process that has it. It does not
   * wait for what descriptors in it would wait for. Default false.
   */
  readonly untrusted?: boolean
}

/**
 * A connected AF_UNIX stream that also carries file descriptors. Receiving never waits; sending waits, bounded, while
 * the peer's buffer is full.
 */
export class UnixSocket {
  readonly fd: number
  readonly #out: RightsMessage
  readonly #in: RightsMessage
  readonly #untrusted: boolean
  #closed = false

  /** Takes ownership of a connected, non-blocking socket. */
  constructor(fd: number, { untrusted = false }: UnixSocketOptions = {}) {
    this.fd = fd
    this.#untrusted = untrusted
    const { out, in: into } = threadMessages()
    this.#out = out
    this.#in = into
  }

  /**
   * Connects to a listening socket.
   *
   * @param type `seqpacket`: each send and each receive is one message, cut off where the receiver has no room
   * @throws VringError ERR_OUT_OF_RANGE for a path that is too long, ERR_SYSTEM (`ENOENT`, `ECONNREFUSED`, ...)
   */
  static connect(path: string, type: 'stream' | 'seqpacket' = 'stream', options: UnixSocketOptions = {}): UnixSocket {
    const address = socketAddress(path)
    const fd = checked('socket', (c) => c.socket(AF_UNIX, type === 'stream' ? STREAM : SEQPACKET, 0))
    try {
      checked('connect', (c) => c.connect(fd, address, address.length), path)
    } catch (error) {
      closeFd(fd)
      throw error
    }
    return new UnixSocket(fd, options)
  }

  /** Two sockets that are connected to one another. */
  static pair(): [UnixSocket, UnixSocket] {
    const fds = fixedBytes(8)
    checked('socketpair', (c) => c.socketpair(AF_UNIX, STREAM, 0, fds))
    const [one, other] = new Int32Array(fds.buffer)
    return [new UnixSocket(one!), new UnixSocket(other!)]
  }

  /**
   * Takes what is there, up to the length of `into`.
   *
   * @param fds descriptors that came along are appended; they are the caller's to close
   * @returns bytes, 0 when the peer has closed, or -EAGAIN when nothing is there now
   * @throws VringError ERR_CLOSED, ERR_SYSTEM
   */
  receive(into: Uint8Array, fds: number[]): number {
    this.#checkOpen()
    const c = libc()
    const message = this.#in
    message.prepareReceive(Math.min(into.length, CHUNK_BYTES))
    for (;;) {
      const count = c.recvmsg(this.fd, message.header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)
      if (count >= 0) {
        message.takeFds(fds)
        into.set(message.data.subarray(0, count))
        return count
      }
      const errno = c.errno()
      if (errno === EAGAIN_ERRNO) return EAGAIN
      if (errno !== EINTR) throw systemError('recvmsg', errno)
    }
  }

  /**
   * Sends all of `bytes`; the descriptors travel with the first one and stay open here.
   *
   * @param timeoutMs how long to wait for room at the peer
   * @throws VringError ERR_CLOSED, ERR_OUT_OF_RANGE, ERR_SYSTEM (`EPIPE`: the peer is gone, `ETIMEDOUT`: it reads nothing)
   */
  send(bytes: Uint8Array, fds: readonly number[] = [], timeoutMs = 10_000): void {
    this.#checkOpen()
    if (fds.length > SCM_MAX_FD) throw refused('ERR_OUT_OF_RANGE', 'fds', fds.length, `at most ${SCM_MAX_FD}`)
    const end = performance.now() + timeoutMs
    let sent = 0
    while (sent < bytes.length) {
      const chunk = bytes.subarray(sent, sent + CHUNK_BYTES)
      this.#out.data.set(chunk)
      this.#out.prepareSend(chunk.length, sent === 0 ? fds : [])
      sent += this.#sendChunk(end)
    }
  }

  #sendChunk(end: number): number {
    const c = libc()
    for (;;) {
      const count = c.sendmsg(this.fd, this.#out.header, MSG_DONTWAIT | MSG_NOSIGNAL)
      if (count >= 0) return count
      const errno = c.errno()
      if (errno === EAGAIN_ERRNO) {
        const left = Math.ceil(end - performance.now())
        if (left <= 0 || !waitWritable(this.fd, left))
          throw new VringError('ERR_SYSTEM', 'sendmsg: ETIMEDOUT (the peer reads nothing)', {
            field: 'sendmsg',
            value: 'ETIMEDOUT',
          })
      } else if (errno !== EINTR) throw systemError('sendmsg', errno)
    }
  }

  /** Has the peer closed its end? What it sent before is still to be received. */
  hungUp(): boolean {
    return this.#closed || (pollOne(this.fd, 0, 0) & POLLHUP) !== 0
  }

  /**
   * Says that nothing is ever received here: the peer can't send any more.
   *
   * @throws VringError ERR_SYSTEM
   */
  stopReceiving(): void {
    this.#checkOpen()
    checked('shutdown', (c) => c.shutdown(this.fd, SHUT_RD), `socket ${this.fd}`)
  }

  /** Would the peer take something? Nothing is sent: a message of no bytes fails as any other does (EPIPE). */
  canSend(): boolean {
    if (this.#closed) return false
    this.#out.prepareSend(0, [])
    return libc().sendmsg(this.fd, this.#out.header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0
  }

  #checkOpen(): void {
    if (this.#closed) throw new VringError('ERR_CLOSED', 'the socket is closed')
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Closes the socket. A second call does nothing. */
  close(): void {
    if (this.#closed) return
    if (!this.#untrusted || this.#dropQueue()) closeFd(this.fd)
    else closeReceived(this.fd)
    this.#closed = true
  }

  /** Ends the connection and drops what waits in it; false: that is more than a peer has any reason to send. */
  #dropQueue(): boolean {
    libc().shutdown(this.fd, SHUT_RDWR)
    for (let left = DROPPED_MAX; left > 0; left--) {
      const fds: number[] = []
      try {
        if (this.receive(dropped, fds) <= 0) return true
      } catch {
        // The peer went with answers unread, which is told once.
      }
      for (const fd of fds) closeReceived(fd)
    }
    return false
  }
}

/** A socket in the file system that accepts connections without waiting. */
export class UnixListener {
  readonly fd: number
  readonly path: string
  /** The file that bind(2) made, by device and inode; null: it was gone again at once. */
  readonly #bound: string | null
  #closed = false

  private constructor(fd: number, path: string, bound: string | null) {
    this.fd = fd
    this.path = path
    this.#bound = bound
  }

  /**
   * Takes ownership of a socket that listens already, as a service manager or another thread opened it. Its path stays when
   * this is closed.
   */
  static adopt(fd: number): UnixListener {
    setNonBlocking(fd)
    return new UnixListener(fd, `descriptor ${fd}`, null)
  }

  /**
   * Binds `path` and listens. A socket that a dead process left there is replaced; one that answers is not.
   *
   * @throws VringError ERR_OUT_OF_RANGE for a path that is too long, ERR_SYSTEM (`EADDRINUSE`, `EACCES`, ...)
   */
  static listen(path: string): UnixListener {
    const address = socketAddress(path)
    removeStale(path)
    const fd = checked('socket', (c) => c.socket(AF_UNIX, STREAM, 0))
    try {
      checked('bind', (c) => c.bind(fd, address, address.length), path)
      checked('listen', (c) => c.listen(fd, BACKLOG), path)
    } catch (error) {
      closeFd(fd)
      throw error
    }
    return new UnixListener(fd, path, identityOf(path))
  }

  /**
   * Takes a waiting connection, or null. Its peer is not trusted ({@link UnixSocketOptions}).
   *
   * @throws VringError ERR_CLOSED, ERR_SYSTEM
   */
  accept(): UnixSocket | null {
    if (this.#closed) throw new VringError('ERR_CLOSED', 'the listener is closed')
    const c = libc()
    for (;;) {
      const fd = c.accept4(this.fd, null, null, SOCK_CLOEXEC | SOCK_NONBLOCK)
      if (fd >= 0) return new UnixSocket(fd, { untrusted: true })
      const errno = c.errno()
      if (errno === EAGAIN_ERRNO) return null
      if (errno !== EINTR) throw systemError('accept4', errno, this.path)
    }
  }

  /** Connections that wait, with what was sent on them. Nothing is accepted of a listener that others have. */
  #dropWaiting(): void {
    const c = libc()
    for (let left = this.#bound === null ? 0 : BACKLOG + 1; left > 0; left--) {
      const fd = c.accept4(this.fd, null, null, SOCK_CLOEXEC | SOCK_NONBLOCK)
      if (fd < 0) return
      new UnixSocket(fd, { untrusted: true }).close()
    }
  }

  /**
   * Closes the listener and removes the socket that it bound: what another process has put at the same path meanwhile
   * stays. A second call does nothing.
   */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    try {
      // Looked at while the socket is open: its inode can't be another file's yet.
      if (this.#bound !== null && identityOf(this.path) === this.#bound) unlinkSync(this.path)
    } catch {
      // It was removed just now: it is gone, as wanted. Or its directory lets this process, whose user may be another one
      // now, neither look nor remove: the next listener replaces it.
    }
    this.#dropWaiting()
    closeFd(this.fd)
  }
}

/** Device and inode of what is at a path, or null. */
function identityOf(path: string): string | null {
  const status = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  return status === undefined ? null : `${status.dev}:${status.ino}`
}

/** `struct sockaddr_un` of a path, without the unused rest of sun_path. */
function socketAddress(path: string): Uint8Array {
  const bytes = new TextEncoder().encode(path)
  const most = SOCKADDR_UN.size - SOCKADDR_UN.sun_path - 1
  if (bytes.length === 0 || bytes.length > most || bytes.includes(0))
    throw refused('ERR_OUT_OF_RANGE', 'path', `${path} (${bytes.length} bytes)`, `1 to ${most} bytes without a NUL`)
  const address = fixedBytes(SOCKADDR_UN.sun_path + bytes.length + 1)
  address[SOCKADDR_UN.sun_family] = AF_UNIX
  address.set(bytes, SOCKADDR_UN.sun_path)
  return address
}

/** @throws VringError ERR_INVALID_ARGUMENT for what is there and is no socket: no file is replaced */
function removeStale(path: string): void {
  const status = lstatSync(path, { throwIfNoEntry: false })
  if (status === undefined) return
  if (!status.isSocket()) {
    const kind = status.isDirectory() ? 'a directory' : status.isFile() ? 'a regular file' : 'no socket'
    throw refused(
      'ERR_INVALID_ARGUMENT',
      'path',
      `${path}, which is ${kind}`,
      'a path where nothing is, or an old socket',
    )
  }
  try {
    UnixSocket.connect(path).close()
  } catch (error) {
    // Nothing else says that no process listens: EAGAIN is the full queue of one that does, EPROTOTYPE a datagram socket.
    if (systemErrnoOf(error) === 'ECONNREFUSED') unlinkSync(path)
  }
}

function waitWritable(fd: number, timeoutMs: number): boolean {
  return pollOne(fd, POLLOUT, timeoutMs) !== 0
}

const pollBytes = fixedBytes(POLLFD.size)
const pollView = new DataView(pollBytes.buffer)

/** poll(2) of one descriptor; what happened, 0: nothing. */
function pollOne(fd: number, events: number, timeoutMs: number): number {
  pollView.setInt32(POLLFD.fd, fd, true)
  pollView.setInt16(POLLFD.events, events, true)
  return checked('poll', (c) => c.poll(pollBytes, 1, timeoutMs)) > 0 ? pollView.getInt16(POLLFD.revents, true) : 0
}
