import { VringError } from '@vring/layout'
import { closeFd, createMemfd, Mapping, type MemfdOptions, UnixSocket } from '@vring/linux'
import { RawPackedRing, type RawRing, RawSplitRing, WRITE } from './raw-ring.ts'

export { INDIRECT, NEXT, WRITE } from './raw-ring.ts'

/** Requests by their numbers in the vhost-user document: nothing here goes through this project's own codec. */
export const REQUEST = {
  GET_FEATURES: 1,
  SET_FEATURES: 2,
  SET_OWNER: 3,
  RESET_OWNER: 4,
  SET_MEM_TABLE: 5,
  SET_LOG_BASE: 6,
  SET_VRING_NUM: 8,
  SET_VRING_ADDR: 9,
  SET_VRING_BASE: 10,
  GET_VRING_BASE: 11,
  SET_VRING_KICK: 12,
  SET_VRING_CALL: 13,
  SET_VRING_ERR: 14,
  SET_PROTOCOL_FEATURES: 16,
  SET_VRING_ENABLE: 18,
  SET_BACKEND_REQ_FD: 21,
  IOTLB_MSG: 22,
  SET_INFLIGHT_FD: 32,
  ADD_MEM_REG: 37,
  REM_MEM_REG: 38,
  SET_STATUS: 39,
  SET_DEVICE_STATE_FD: 42,
} as const
export const NEED_REPLY = 8

const bit = (...bits: number[]): bigint => bits.reduce((set, one) => set | (1n << BigInt(one)), 0n)
/** MRG_RXBUF, INDIRECT_DESC, PROTOCOL_FEATURES, VERSION_1. */
export const FEATURES = bit(15, 28, 30, 32)
export const LOG_ALL = bit(26)
export const ACCESS_PLATFORM = bit(33)
export const RING_PACKED = bit(34)
/** MQ, LOG_SHMFD, REPLY_ACK, RESET_DEVICE, CONFIGURE_MEM_SLOTS, STATUS. */
export const PROTOCOL = bit(0, 1, 3, 13, 15, 16)
export const BACKEND_REQ = bit(5)

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Numbers one after the other: `u32`s as numbers, `u64`s as bigints. */
export function words(...values: (number | bigint)[]): Uint8Array<ArrayBuffer> {
  const bytes = new DataView(
    new ArrayBuffer(values.reduce((sum: number, one) => sum + (typeof one === 'bigint' ? 8 : 4), 0)),
  )
  let at = 0
  for (const value of values) {
    if (typeof value === 'bigint') bytes.setBigUint64(at, value, true)
    else bytes.setUint32(at, value, true)
    at += typeof value === 'bigint' ? 8 : 4
  }
  return new Uint8Array(bytes.buffer)
}

/** Where the guest has its memory, and where the frontend says that it has it. */
export const GUEST = 0x4000_0000
export const USER = 0x7f00_0000_0000

export interface RawOptions {
  /** Of the memory file, in bytes. Default 16 MiB. */
  readonly bytes?: number
  readonly features?: bigint
  readonly protocol?: bigint
  readonly memfd?: MemfdOptions
  /** Ring entries, by queue; queues that are not named have 256. */
  readonly sizes?: Readonly<Record<number, number>>
  /** Where rings are said to be: user addresses, or IOVAs. Default {@link USER}. */
  readonly user?: number
}

/** Bytes from ring to ring, room for one of 1024 entries. */
const RING_BYTES = 0x1_0000
/** Buffers of queue q lie from here on. */
export const buffersOf = (queue: number): number => 0x40_0000 + queue * 0x10_0000

/** A vhost-user frontend and driver that means no good, or does as a test wants. */
export class RawFrontend {
  readonly socket: UnixSocket
  readonly fd: number
  readonly bytes: number
  readonly view: DataView
  readonly u8: Uint8Array
  readonly rings: RawRing[] = []
  #user = USER
  #packed = false
  readonly #mapping: Mapping

  private constructor(socket: UnixSocket, { bytes = 16 << 20, memfd = {} }: RawOptions) {
    this.socket = socket
    this.bytes = bytes
    this.fd = createMemfd('raw', bytes, memfd)
    // Guarded: a test shortens the file, and this process goes on to look.
    this.#mapping = Mapping.of(this.fd, { length: bytes, guard: true })
    this.view = new DataView(this.#mapping.windows[0]!.buffer)
    this.u8 = new Uint8Array(this.view.buffer)
  }

  /** Connects and negotiates, and goes no further. */
  static async negotiate(path: string, options: RawOptions = {}): Promise<RawFrontend> {
    return new RawFrontend(await connected(path), options).#negotiate(options)
  }

  /** As above, at the end of a socket that was accepted. */
  static async accepted(socket: UnixSocket, options: RawOptions = {}): Promise<RawFrontend> {
    return new RawFrontend(socket, options).#negotiate(options)
  }

  async #negotiate({ features = FEATURES, protocol = PROTOCOL }: RawOptions): Promise<this> {
    this.#packed = (features & RING_PACKED) !== 0n
    await this.ask(REQUEST.GET_FEATURES)
    this.send(REQUEST.SET_OWNER)
    this.send(REQUEST.SET_PROTOCOL_FEATURES, words(protocol))
    this.send(REQUEST.SET_FEATURES, words(features))
    return this
  }

  /** Shares its memory and starts so many queues. */
  async start(queues: number, { sizes = {}, user = USER }: RawOptions = {}): Promise<this> {
    this.#user = user
    this.send(REQUEST.SET_MEM_TABLE, words(1, 0, BigInt(GUEST), BigInt(this.bytes), BigInt(USER), 0n), [this.fd])
    for (let queue = 0; queue < queues; queue++) this.startRing(queue, sizes[queue] ?? 256)
    // Its answer comes after all of that.
    await this.ask(REQUEST.GET_FEATURES)
    return this
  }

  startRing(queue: number, size: number, at = RING_BYTES * (queue + 1)): RawRing {
    const ring = new (this.#packed ? RawPackedRing : RawSplitRing)(this.view, size, at)
    this.rings[queue]?.close()
    this.rings[queue] = ring
    this.send(REQUEST.SET_VRING_NUM, words(queue, size))
    this.sendAddress(queue, ring)
    this.send(REQUEST.SET_VRING_BASE, words(queue, ring.base))
    this.send(REQUEST.SET_VRING_CALL, words(BigInt(queue)), [ring.call.fd])
    this.send(REQUEST.SET_VRING_ERR, words(BigInt(queue)), [ring.error.fd])
    this.send(REQUEST.SET_VRING_KICK, words(BigInt(queue)), [ring.kick.fd])
    this.send(REQUEST.SET_VRING_ENABLE, words(queue, 1))
    return ring
  }

  sendAddress(queue: number, { desc, used, avail }: RawRing, flags = 0, user = this.#user): void {
    const [d, u, a] = [desc, used, avail].map((at) => BigInt(user + at)) as [bigint, bigint, bigint]
    this.send(REQUEST.SET_VRING_ADDR, words(queue, flags, d, u, a, BigInt(GUEST + used)))
  }

  send(request: number, payload: Uint8Array = new Uint8Array(0), fds: readonly number[] = [], flags = 0): void {
    const message = new Uint8Array(12 + payload.length)
    message.set(words(request, 1 | flags, payload.length))
    message.set(payload, 12)
    this.socket.send(message, fds)
  }

  /** Sends a request at a moment at which the daemon may have ended the session; whether it had not. */
  sendUnlessHungUp(request: number, payload: Uint8Array): boolean {
    try {
      this.send(request, payload)
      return true
    } catch (error) {
      if (error instanceof VringError && (error.value === 'EPIPE' || error.value === 'ECONNRESET')) return false
      throw error
    }
  }

  /** Sends a request and waits for its answer: the last 64-bit word of it. */
  async ask(request: number, payload?: Uint8Array, fds: readonly number[] = [], flags = 0): Promise<bigint> {
    this.send(request, payload, fds, flags)
    const header = await this.#receive(12)
    const size = new DataView(header.buffer).getUint32(8, true)
    const answer = await this.#receive(size)
    return size < 8 ? 0n : new DataView(answer.buffer).getBigUint64(size - 8, true)
  }

  async #receive(length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; ) {
      const count = this.socket.receive(bytes.subarray(at), [])
      if (count === 0) throw new Error('the daemon hung up')
      if (count > 0) at += count
      else await sleep(1)
    }
    return bytes
  }

  /** Answers each question of the device's IOTLB with the page that it is about, at once: IOVAs are guest addresses. */
  answerMisses(): { readonly pages: Set<number>; count: number; stop(): void } {
    const [mine, theirs] = UnixSocket.pair()
    this.send(REQUEST.SET_BACKEND_REQ_FD, new Uint8Array(0), [theirs.fd])
    theirs.close()
    const answers = { pages: new Set<number>(), count: 0, stop: () => mine.close() }
    const into = new Uint8Array(44 * 64)
    const answer = (): void => {
      if (mine.closed || this.socket.closed) return
      const bytes = mine.receive(into, [])
      const view = new DataView(into.buffer)
      for (let at = 0; at < bytes && !mine.closed; at += 44) {
        const page = Number(view.getBigUint64(at + 12, true) & ~0xfffn)
        answers.pages.add(page)
        answers.count++
        const user = BigInt(USER + page - GUEST)
        const entry = new Uint8Array([...words(BigInt(page), 4096n, user), 3, 2, 0, 0, 0, 0, 0, 0])
        // The daemon may end the session between its question and the answer.
        if (!this.sendUnlessHungUp(REQUEST.IOTLB_MSG, entry)) mine.close()
      }
      if (bytes === 0) mine.close()
      else setImmediate(answer)
    }
    answer()
    return answers
  }

  /** Waits until the daemon ends the session. */
  async hungUp(): Promise<void> {
    while (!this.socket.hungUp()) await sleep(2)
  }

  /**
   * Sends a frame through a pair of a loopback device and waits until it is back.
   *
   * @returns ms
   */
  async echo(pair: number, mark = 0): Promise<number> {
    const [rx, tx] = [this.rings[2 * pair]!, this.rings[2 * pair + 1]!]
    const [from, to] = [buffersOf(2 * pair + 1), buffersOf(2 * pair)]
    this.u8.fill(0, from, from + 12)
    for (let i = 12; i < 112; i++) this.u8[from + i] = (mark + i) & 0xff
    const start = performance.now()
    const slot = tx.size - 1
    rx.descriptor(slot, GUEST + to, 2048, WRITE)
    rx.offer(slot)
    tx.descriptor(slot, GUEST + from, 112)
    tx.offer(slot)
    while (rx.usedIdx !== rx.availIdx) {
      if (performance.now() - start > 20_000) throw new Error(`no echo on pair ${pair} within 20 s`)
      await sleep(0)
    }
    const took = performance.now() - start
    if (Buffer.compare(this.u8.subarray(to + 12, to + 112), this.u8.subarray(from + 12, from + 112)) !== 0)
      throw new Error(`another frame came back on pair ${pair}`)
    return took
  }

  close(): void {
    this.socket.close()
    for (const ring of this.rings) ring.close()
    this.#mapping.unmap()
    closeFd(this.fd)
  }
}

/** Connects, also while the daemon's queue is full. */
async function connected(path: string): Promise<UnixSocket> {
  for (let tries = 0; ; tries++) {
    try {
      return UnixSocket.connect(path)
    } catch (error) {
      if (tries > 400) throw error
      await sleep(5)
    }
  }
}
