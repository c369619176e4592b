import type { Accessor } from '@vring/accessor'
import { PACKED_DESC_BYTES, PACKED_DESC_FLAGS_OFFSET, USED_IDX_OFFSET } from '@vring/layout'
import type { ChainBatch, DeviceQueue } from '@vring/virtqueue'
import type {
  InflightPacked,
  PackedDescriptor,
  PackedInflight,
  PackedUsedPosition,
} from '../inflight/inflight-packed.ts'
import { InflightSplit } from '../inflight/inflight-split.ts'
import { packedDescriptors } from '../inflight/packed-descriptors.ts'
import type { StartedVring } from './device.ts'

/** A request that an earlier device had taken and not given back. */
export interface NotedRequest {
  readonly id: number
  /** Ring entries. */
  readonly slots: number
  readonly note: number
  /**
   * What `DeviceQueue.recall` gave: 1, and the chain is in the batch; -EAGAIN: a translation is missing; else no chain
   * now.
   */
  readonly status: number
}

/** What a {@link RequestNotes} needs of its queue. */
export interface NotedQueue {
  readonly queue: DeviceQueue
  readonly accessor: Accessor
}

/**
 * The requests of a ring that are in flight, noted in memory that outlives the process, whatever the ring's format. The
 * order of calls: {@link take} for each chain; {@link use} for each that is done; {@link publishing}, the queue's
 * `flush`, and {@link published}.
 */
export interface RequestNotes {
  /**
   * Puts a queue that was started where the ring and the area say that it is, inside a round.
   *
   * @returns how many requests are in flight, or a negative errno
   */
  recover(): number
  /**
   * The next of those that are in flight, in the order in which they were taken, read into a batch inside a round.
   * Null: there are no more. The same one each time until {@link taken}.
   */
  next(batch: ChainBatch): NotedRequest | null
  /** {@link next} was taken. */
  taken(): void
  /** Those that were not {@link taken} yet. */
  readonly left: number
  /** A chain of a batch was taken. @returns what {@link use} takes */
  take(batch: ChainBatch, chain: number): number
  /** A chain is done. @param slots ring entries that it takes */
  use(note: number, slots: number): void
  publishing(): void
  published(): void
}

/** Notes of a ring; null where nothing is noted. */
export function requestNotes(vring: StartedVring, of: NotedQueue): RequestNotes | null {
  const { inflight } = vring
  if (inflight === null) return null
  return inflight instanceof InflightSplit ? new SplitNotes(inflight, of) : new PackedNotes(inflight, of)
}

class SplitNotes implements RequestNotes {
  readonly #area: InflightSplit
  readonly #of: NotedQueue
  /** In flight, the next one last. */
  #heads: number[] = []
  #usedIdx = 0
  #batched = 0

  constructor(area: InflightSplit, of: NotedQueue) {
    this.#area = area
    this.#of = of
  }

  get left(): number {
    return this.#heads.length
  }

  recover(): number {
    const { queue, accessor } = this.#of
    const usedIdx = accessor.device.load16(USED_IDX_OFFSET)
    if (usedIdx < 0) return usedIdx
    this.#usedIdx = usedIdx
    this.#heads = this.#area.recover(usedIdx).reverse()
    queue.resume(this.#heads.length)
    return this.#heads.length
  }

  next(batch: ChainBatch): NotedRequest | null {
    const head = this.#heads.at(-1)
    if (head === undefined) return null
    return { id: head, slots: 1, note: head, status: this.#of.queue.recall(batch, head) }
  }

  taken(): void {
    this.#heads.pop()
  }

  take(batch: ChainBatch, chain: number): number {
    const head = batch.idOf(chain)
    this.#area.take(head)
    return head
  }

  use(note: number): void {
    this.#area.use(note)
    this.#batched++
  }

  publishing(): void {}

  published(): void {
    this.#usedIdx = (this.#usedIdx + this.#batched) & 0xffff
    this.#batched = 0
    this.#area.commit(this.#usedIdx)
  }
}

class PackedNotes implements RequestNotes {
  readonly #area: InflightPacked
  readonly #of: NotedQueue
  /** In flight, the next one last. */
  #noted: PackedInflight[] = []
  /** Ring entries of chains that are done and not published. */
  #slots = 0

  constructor(area: InflightPacked, of: NotedQueue) {
    this.#area = area
    this.#of = of
  }

  get left(): number {
    return this.#noted.length
  }

  recover(): number {
    const { queue, accessor } = this.#of
    // Of a ring that no device served before, the frontend says where it is; after that the area does, which knows it better
    // than a frontend whose backend was killed.
    if (this.#area.fresh) {
      queue.resume()
      this.#area.begin(usedPosition(queue.base >>> 16))
      return 0
    }
    let fault = 0
    const found = this.#area.recover((index) => {
      const flags = accessor.desc.load16Acquire(PACKED_DESC_BYTES * index + PACKED_DESC_FLAGS_OFFSET)
      if (flags < 0) fault = flags
      return Math.max(flags, 0)
    })
    if (fault < 0) return fault
    const { index, wrap } = this.#area.used
    const used = index | (wrap << 15)
    const status = queue.start((used | (used << 16)) >>> 0)
    if (status < 0) return status
    this.#noted = found.reverse()
    queue.resume(found.reduce((slots, { descriptors }) => slots + descriptors.length, 0))
    return found.length
  }

  next(batch: ChainBatch): NotedRequest | null {
    const noted = this.#noted.at(-1)
    if (noted === undefined) return null
    const { entry, descriptors } = noted
    const status = this.#of.queue.recall(batch, wordsOf(descriptors))
    return { id: descriptors.at(-1)!.id, slots: descriptors.length, note: entry, status }
  }

  taken(): void {
    this.#noted.pop()
  }

  take(batch: ChainBatch, chain: number): number {
    return this.#area.take(packedDescriptors(batch, chain))
  }

  use(note: number, slots: number): void {
    this.#slots += slots
    if (note >= 0) this.#area.use(note)
  }

  publishing(): void {
    const { queueSize, base } = this.#of.queue
    const { index, wrap } = usedPosition(base >>> 16)
    const next = index + this.#slots
    this.#area.publishing(
      next < queueSize ? { index: next, wrap } : { index: next - queueSize, wrap: wrap === 0 ? 1 : 0 },
    )
  }

  published(): void {
    this.#slots = 0
    this.#area.commit()
  }
}

/** As they stood in the ring, four words each. */
function wordsOf(descriptors: readonly PackedDescriptor[]): Uint32Array {
  return Uint32Array.from(
    descriptors.flatMap(({ address, length, id, flags }) => [
      address % 2 ** 32,
      address / 2 ** 32,
      length,
      id | (flags << 16),
    ]),
  )
}

/** The used half of a packed ring's base. */
function usedPosition(half: number): PackedUsedPosition {
  return { index: half & 0x7fff, wrap: half >>> 15 === 0 ? 0 : 1 }
}
