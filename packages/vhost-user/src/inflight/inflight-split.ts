import { InflightArea, type InflightLayout } from './inflight-area.ts'

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
const LAST_BATCH_HEAD = 12
const USED_IDX = 14
const LAYOUT: InflightLayout = { header: 16, state: 16 }
const STATE_NEXT = 6

/** Bytes of one split ring's part of the area, before it is rounded up to {@link INFLIGHT_ALIGN}. */
export function inflightSplitBytes(queueSize: number): number {
  return LAYOUT.header + LAYOUT.state * queueSize
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
  readonly #area: InflightArea

  /**
   * @param buffer mapped, zero where it was never used
   * @param offset a multiple of 8
   * @throws VringError ERR_OUT_OF_RANGE for an area of another version or size: a fault of the ring, and not of its connection
   */
  constructor(buffer: ArrayBufferLike, offset: number, queueSize: number) {
    this.queueSize = queueSize
    this.#area = new InflightArea(buffer, offset, queueSize, LAYOUT)
    if (this.#area.fresh) this.#area.settle()
  }

  /**
   * What was in flight when the last device stopped or died, in the order in which it was taken: head descriptors. A batch
   * whose used elements were published and whose notes were not brought up to date is brought up to date first.
   *
   * @param usedIdx used.idx of the ring
   */
  recover(usedIdx: number): number[] {
    const area = this.#area
    const published = (usedIdx - area.load(USED_IDX)) & 0xffff
    // The area is the frontend's, too: no walk is longer than the ring.
    let head = area.load(LAST_BATCH_HEAD)
    for (let i = 0; i < published && i < this.queueSize && head < this.queueSize; i++) {
      area.mark(head, 0)
      head = area.load(area.at(head) + STATE_NEXT)
    }
    area.store(USED_IDX, usedIdx & 0xffff)
    return area.marked()
  }

  /** A chain was taken. @param head index of its first descriptor, below the queue size */
  take(head: number): void {
    this.#area.count(head)
    this.#area.mark(head, 1)
  }

  /** A chain is done; its used element is published next, with those of the same batch. */
  use(head: number): void {
    const area = this.#area
    area.store(area.at(head) + STATE_NEXT, area.load(LAST_BATCH_HEAD))
    area.store(LAST_BATCH_HEAD, head)
    area.batch(head)
  }

  /** used.idx was published: the batch is no longer in flight. */
  commit(usedIdx: number): void {
    this.#area.finishBatch()
    this.#area.store(USED_IDX, usedIdx & 0xffff)
  }
}
