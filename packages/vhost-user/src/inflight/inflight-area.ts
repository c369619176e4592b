import { refused } from '@vring/layout'
import { work } from '@vring/memory'

/** Where both layouts have the same, in bytes: in the header, and in the state of an entry. */
const VERSION = 8
const DESC_NUM = 10
const STATE_INFLIGHT = 0
const STATE_COUNTER = 8

/** The only version of both layouts. */
export const INFLIGHT_VERSION = 1

/** Sizes of a layout, in bytes. */
export interface InflightLayout {
  readonly header: number
  /** Of one entry. */
  readonly state: number
}

/**
 * One ring's part of the area, as far as both layouts are the same: version and size, entries that are in flight and the order in
 * which they were taken. Stores are sequentially consistent, and the file outlives its writer. The frontend can write it at any
 * time: nothing that is read here is believed.
 */
export class InflightArea {
  readonly queueSize: number
  /** No device has used it before: {@link settle} says that one has. */
  readonly fresh: boolean
  readonly u8: Uint8Array
  readonly #u16: Uint16Array
  readonly #u32: Uint32Array
  readonly #layout: InflightLayout
  /** Entries that are given back by the batch that is published next. */
  readonly #batch: Uint16Array
  #batched = 0
  #counter = 0

  /**
   * @param buffer mapped, zero where it was never used
   * @param offset a multiple of 8
   * @throws VringError ERR_OUT_OF_RANGE for an area of another version or size: a fault of the ring, and not of its connection
   */
  constructor(buffer: ArrayBufferLike, offset: number, queueSize: number, layout: InflightLayout) {
    const bytes = layout.header + layout.state * queueSize
    this.queueSize = queueSize
    this.u8 = new Uint8Array(buffer, offset, bytes)
    this.#u16 = new Uint16Array(buffer, offset, bytes / 2)
    this.#u32 = new Uint32Array(buffer, offset, bytes / 4)
    this.#layout = layout
    this.#batch = new Uint16Array(queueSize)
    const version = this.load(VERSION)
    this.fresh = version === 0
    if (this.fresh) return
    if (version !== INFLIGHT_VERSION)
      throw refused('ERR_OUT_OF_RANGE', 'inflight version', version, `0 (unused) or ${INFLIGHT_VERSION}`)
    const entries = this.load(DESC_NUM)
    if (entries !== queueSize)
      throw refused('ERR_OUT_OF_RANGE', 'inflight desc_num', entries, `${queueSize}, the size of the ring`)
  }

  /** A {@link fresh} one has everything that its layout begins with: the version is stored last. */
  settle(): void {
    this.store(DESC_NUM, this.queueSize)
    this.store(VERSION, INFLIGHT_VERSION)
  }

  load(offset: number): number {
    return Atomics.load(this.#u16, offset >>> 1)
  }

  store(offset: number, value: number): void {
    Atomics.store(this.#u16, offset >>> 1, value)
  }

  /** Where an entry's state is. */
  at(entry: number): number {
    return this.#layout.header + this.#layout.state * entry
  }

  isMarked(entry: number): boolean {
    return Atomics.load(this.u8, this.at(entry) + STATE_INFLIGHT) === 1
  }

  mark(entry: number, inflight: 0 | 1): void {
    Atomics.store(this.u8, this.at(entry) + STATE_INFLIGHT, inflight)
  }

  /** Notes that an entry was taken after all others; {@link mark} comes after it. */
  count(entry: number): void {
    const word = (this.at(entry) + STATE_COUNTER) >>> 2
    this.#u32[word] = this.#counter >>> 0
    this.#u32[word + 1] = Math.floor(this.#counter / 2 ** 32)
    this.#counter++
  }

  /** Entries that are in flight, in the order in which they were taken; what is taken from here on comes after them. */
  marked(): number[] {
    const found: number[] = []
    const counters: number[] = []
    for (let entry = 0; entry < this.queueSize; entry++) {
      counters.push(this.#counterOf(entry))
      if (this.isMarked(entry)) found.push(entry)
    }
    found.sort((one, other) => counters[one]! - counters[other]!)
    for (const entry of found) this.#counter = Math.max(this.#counter, counters[entry]! + 1)
    work.charge(2 * this.queueSize)
    return found
  }

  /** The batch that is published next gives an entry back. */
  batch(entry: number): void {
    this.#batch[this.#batched++] = entry
  }

  /** The batch was published: its entries are no longer in flight. */
  finishBatch(): void {
    for (let i = 0; i < this.#batched; i++) this.mark(this.#batch[i]!, 0)
    this.#batched = 0
  }

  #counterOf(entry: number): number {
    const word = (this.at(entry) + STATE_COUNTER) >>> 2
    // Above 2^53 nothing of ours wrote it: its place in the order is then as good as any.
    return this.#u32[word]! + 2 ** 32 * (this.#u32[word + 1]! & 0x1f_ffff)
  }
}
