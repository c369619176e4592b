import { EAGAIN } from '@vring/layout'

/** A byte stream that also carries file descriptors: a connected AF_UNIX socket, or a pair in memory for tests. */
export interface Transport {
  /** For poll(2); -1 when there is none. */
  readonly fd: number
  /**
   * Takes what is there, up to the length of `into`; never waits.
   *
   * @param fds descriptors that came along are appended; they are the caller's to close
   * @returns bytes, 0 when the peer has closed, or -EAGAIN
   * @throws VringError ERR_CLOSED, ERR_SYSTEM
   */
  receive(into: Uint8Array, fds: number[]): number
  /**
   * Sends all of `bytes` with copies of these descriptors.
   *
   * @param timeoutMs how long to wait for room at the peer; default: as the transport likes
   * @throws VringError ERR_CLOSED, ERR_SYSTEM
   */
  send(bytes: Uint8Array, fds?: readonly number[], timeoutMs?: number): void
  /** Has the peer closed its end? What it sent before may still be there. Absent: {@link receive} tells, after that. */
  hungUp?(): boolean
  /**
   * Says that nothing is ever read here, which the other end can see. Absent: it can't be said.
   *
   * @throws VringError ERR_SYSTEM
   */
  stopReceiving?(): void
  /** Can something be sent? False after the other end said {@link stopReceiving}, or is gone. Absent: yes. */
  canSend?(): boolean
  /** A second call does nothing. */
  close(): void
}

interface Chunk {
  readonly bytes: Uint8Array
  readonly fds: readonly number[]
}

class MemoryTransport implements Transport {
  readonly fd = -1
  #peer: MemoryTransport | null = null
  #closed = false
  readonly #inbox: Chunk[] = []

  static pair(): [MemoryTransport, MemoryTransport] {
    const one = new MemoryTransport()
    const other = new MemoryTransport()
    one.#peer = other
    other.#peer = one
    return [one, other]
  }

  receive(into: Uint8Array, fds: number[]): number {
    const chunk = this.#inbox[0]
    if (chunk === undefined) return this.#peer === null || this.#peer.#closed ? 0 : EAGAIN
    const count = Math.min(into.length, chunk.bytes.length)
    into.set(chunk.bytes.subarray(0, count))
    // As a socket does: descriptors come with the first byte of the message that they were sent with.
    fds.push(...chunk.fds)
    if (count === chunk.bytes.length) this.#inbox.shift()
    else this.#inbox[0] = { bytes: chunk.bytes.subarray(count), fds: [] }
    return count
  }

  send(bytes: Uint8Array, fds: readonly number[] = []): void {
    if (bytes.length > 0 && this.#peer !== null && !this.#peer.#closed)
      this.#peer.#inbox.push({ bytes: bytes.slice(), fds: [...fds] })
  }

  close(): void {
    this.#closed = true
  }
}

/** Two transports in memory that are connected to one another; descriptors are passed on as the numbers they are. */
export function memoryTransportPair(): [Transport, Transport] {
  return MemoryTransport.pair()
}
