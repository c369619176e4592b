import { refused } from '@vring/layout'
import { work } from '@vring/memory'

/**
 * What a backend notes of one split ring, in memory that outlives it (vhost-user, "Inflight I/O tracking", split
 * virtqueues). Offsets and sizes in bytes.
 *
 * ```
 *   ┌──────────┬─────────┬──────────┬─────────────────┬──────────┐  ┌──────────┬───────┬──────┬─────────┐
 *   │ features │ version │ desc_num │ last_batch_head │ used_idx │  │ inflight │   -   │ next │ counter │ x desc_num
 *   │ 64       │ 16      │ 16       │ 16              │ 16       │  │ 8        │ 40    │ 16   │ 64      │
 *   └──────────┴─────────┴──────────┴─────────────────┴──────────┘  └──────────┴───────┴──────┴─────────┘
 * ```
 */
const VERSION = 8
const DESC_NUM = 10
const LAST_BATCH_HEAD = 12
const USED_IDX = 14
const HEADER_BYTES = 16
const STATE_BYTES = 16
const STATE_INFLIGHT = 0
const STATE_NEXT = 6
const STATE_COUNTER = 8

/** The only version of both layouts. */
export const INFLIGHT_VERSION = 1

/** Bytes of one split ring's part of the area, before it is rounded up to {@link INFLIGHT_ALIGN}. */
export function inflightSplitBytes(queueSize: number): number {
  return HEADER_BYTES + STATE_BYTES * queueSize
}

/**
 * The requests of one split ring that a device has taken and not given back. Whatever kills the process, the next one finds
 * them: stores are sequentially consistent, and the file outlives its writer.
 *
 * The order of calls: {@link take} for each chain taken; {@link use} for each that is done, before its used element is
 * published; {@link commit} after used.idx was.
 */
export class InflightSplit {
  readonly queueSize: number
  readonly #u8: Uint8Array
  readonly #u16: Uint16Array
  readonly #u32: Uint32Array
  readonly #batch: Uint16Array
  #batched = 0
  #counter = 0

  /**
   * @param buffer mapped, zero where it was never used
   * @param offset a multiple of 8
   * @throws VringError ERR_PROTOCOL for an area of another version or size
   */
  constructor(buffer: ArrayBufferLike, offset: number, queueSize: number) {
    const bytes = inflightSplitBytes(queueSize)
    this.queueSize = queueSize
    this.#u8 = new Uint8Array(buffer, offset, bytes)
    this.#u16 = new Uint16Array(buffer, offset, bytes / 2)
    this.#u32 = new Uint32Array(buffer, offset, bytes / 4)
    this.#batch = new Uint16Array(queueSize)
    const version = this.#load(VERSION)
    if (version === 0) {
      this.#store(DESC_NUM, queueSize)
      this.#store(VERSION, INFLIGHT_VERSION)
      return
    }
    if (version !== INFLIGHT_VERSION)
      throw refused('ERR_PROTOCOL', 'inflight version', version, `0 (unused) or ${INFLIGHT_VERSION}`)
    const entries = this.#load(DESC_NUM)
    if (entries !== queueSize)
      throw refused('ERR_PROTOCOL', 'inflight desc_num', entries, `${queueSize}, the size of the ring`)
  }

  /**
   * What was in flight when the last device stopped or died, in the order in which it was taken: head descriptors. A batch
   * whose used elements were published and whose notes were not brought up to date is brought up to date first.
   *
   * @param usedIdx used.idx of the ring
   */
  recover(usedIdx: number): number[] {
    const published = (usedIdx - this.#load(USED_IDX)) & 0xffff
    // The area is the frontend's, too: no walk is longer than the ring.
    let head = this.#load(LAST_BATCH_HEAD)
    for (let i = 0; i < published && i < this.queueSize && head < this.queueSize; i++) {
      this.#mark(head, 0)
      head = this.#load(this.#at(head) + STATE_NEXT)
    }
    this.#store(USED_IDX, usedIdx & 0xffff)
    const found: number[] = []
    const counters: number[] = []
    for (let entry = 0; entry < this.queueSize; entry++) {
      counters.push(this.#counterOf(entry))
      if (Atomics.load(this.#u8, this.#at(entry) + STATE_INFLIGHT) === 1) found.push(entry)
    }
    found.sort((one, other) => counters[one]! - counters[other]!)
    for (const entry of found) this.#counter = Math.max(this.#counter, counters[entry]! + 1)
    work.charge(2 * this.queueSize)
    return found
  }

  /** A chain was taken. @param head index of its first descriptor, below the queue size */
  take(head: number): void {
    const word = (this.#at(head) + STATE_COUNTER) >>> 2
    this.#u32[word] = this.#counter >>> 0
    this.#u32[word + 1] = Math.floor(this.#counter / 2 ** 32)
    this.#counter++
    this.#mark(head, 1)
  }

  /** A chain is done; its used element is published next, with those of the same batch. */
  use(head: number): void {
    this.#store(this.#at(head) + STATE_NEXT, this.#load(LAST_BATCH_HEAD))
    this.#store(LAST_BATCH_HEAD, head)
    this.#batch[this.#batched++] = head
  }

  /** used.idx was published: the batch is no longer in flight. */
  commit(usedIdx: number): void {
    for (let i = 0; i < this.#batched; i++) this.#mark(this.#batch[i]!, 0)
    this.#batched = 0
    this.#store(USED_IDX, usedIdx & 0xffff)
  }

  #at(entry: number): number {
    return HEADER_BYTES + STATE_BYTES * entry
  }

  #mark(entry: number, inflight: 0 | 1): void {
    Atomics.store(this.#u8, this.#at(entry) + STATE_INFLIGHT, inflight)
  }

  #counterOf(entry: number): number {
    const word = (this.#at(entry) + STATE_COUNTER) >>> 2
    // Above 2^53 nothing of ours wrote it: its place in the order is then as good as any.
    return this.#u32[word]! + 2 ** 32 * (this.#u32[word + 1]! & 0x1f_ffff)
  }

  #load(offset: number): number {
    return Atomics.load(this.#u16, offset >>> 1)
  }

  #store(offset: number, value: number): void {
    Atomics.store(this.#u16, offset >>> 1, value)
  }
}
