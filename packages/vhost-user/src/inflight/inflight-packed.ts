import { InflightArea, type InflightLayout } from './inflight-area.ts'

/**
 * What a backend notes of one packed ring (vhost-user, "Inflight I/O tracking", packed virtqueues). The device overwrites
 * descriptors of a packed ring when it gives chains back, so their content is kept, too. Entries are a list of free
 * ones and a list for each chain in flight. Offsets and sizes in bytes.
 *
 * ```
 *   features 64 │ version 16 │ desc_num 16 │ free_head 16 │ old_free_head 16 │ used_idx 16 │ old_used_idx 16 │
 *   used_wrap_counter 8 │ old_used_wrap_counter 8 │ - 56 + 24 │
 *   ┌──────────┬───┬──────┬──────┬─────┬─────────┬────┬───────┬─────┬──────┐
 *   │ inflight │ - │ next │ last │ num │ counter │ id │ flags │ len │ addr │ x desc_num
 *   │ 8        │ 8 │ 16   │ 16   │ 16  │ 64      │ 16 │ 16    │ 32  │ 64   │
 *   └──────────┴───┴──────┴──────┴─────┴─────────┴────┴───────┴─────┴──────┘
 * ```
 */
const FREE_HEAD = 12
const OLD_FREE_HEAD = 14
const USED_IDX = 16
const OLD_USED_IDX = 18
const USED_WRAP = 20
const OLD_USED_WRAP = 21
const LAYOUT: InflightLayout = { header: 32, state: 32 }
const STATE_NEXT = 2
const STATE_LAST = 4
const STATE_NUM = 6
const STATE_ID = 16
const STATE_FLAGS = 18
const STATE_LEN = 20
const STATE_ADDR = 24

/** Bytes of one packed ring's part of the area, before it is rounded up to `INFLIGHT_ALIGN`. */
export function inflightPackedBytes(queueSize: number): number {
  return LAYOUT.header + LAYOUT.state * queueSize
}

/** One descriptor of a packed ring, as the driver made it available. */
export interface PackedDescriptor {
  readonly address: number
  readonly length: number
  readonly id: number
  readonly flags: number
}

/** A chain that was in flight. */
export interface PackedInflight {
  /** Its entry in the area: what {@link InflightPacked.use} takes. */
  readonly entry: number
  readonly descriptors: readonly PackedDescriptor[]
}

/** Where the device gives chains back next. */
export interface PackedUsedPosition {
  readonly index: number
  readonly wrap: 0 | 1
}

/**
 * The requests of one packed ring that a device has taken and not given back. Calls: {@link take} for each chain taken;
 * {@link use} for each that is done, before its used descriptor is published; {@link publishing} with the position after the
 * batch, before the first descriptor's flags are stored; {@link commit} after they were.
 */
export class InflightPacked {
  readonly queueSize: number
  /** No device has used it before. */
  readonly fresh: boolean
  readonly #area: InflightArea
  readonly #view: DataView

  /**
   * @param buffer mapped, zero where it was never used
   * @param offset a multiple of 8
   * @throws VringError ERR_OUT_OF_RANGE for an area of another version or size: a fault of the ring, and not of its connection
   */
  constructor(buffer: ArrayBufferLike, offset: number, queueSize: number) {
    const area = new InflightArea(buffer, offset, queueSize, LAYOUT)
    this.queueSize = queueSize
    this.fresh = area.fresh
    this.#area = area
    this.#view = new DataView(buffer, offset, area.u8.length)
    if (!this.fresh) return
    for (let entry = 0; entry < queueSize; entry++) area.store(area.at(entry) + STATE_NEXT, (entry + 1) % queueSize)
    this.#setUsed({ index: 0, wrap: 1 })
    this.#copyToOld()
    area.settle()
  }

  /** A {@link fresh} area is that of a ring which goes on at this position. */
  begin(used: PackedUsedPosition): void {
    this.#setUsed(used)
    this.#copyToOld()
  }

  /** Where the last device stopped giving chains back, after {@link recover}. */
  get used(): PackedUsedPosition {
    return { index: this.#load(USED_IDX) % this.queueSize, wrap: this.#area.u8[USED_WRAP] === 0 ? 0 : 1 }
  }

  /**
   * What was in flight when the last device stopped or died, in the order in which it was taken. A batch that was published
   * is finished, one that was not is undone.
   *
   * @param flagsAt flags of the ring's descriptor `index`, as they are now
   */
  recover(flagsAt: (index: number) => number): PackedInflight[] {
    const old = {
      index: this.#load(OLD_USED_IDX) % this.queueSize,
      wrap: this.#area.u8[OLD_USED_WRAP] === 0 ? 0 : 1,
    } as const
    if (old.index !== this.used.index || old.wrap !== this.used.wrap) {
      const flags = flagsAt(old.index)
      // VirtIO 1.3 section 2.8.1: used when both bits are the device's wrap counter.
      const published = ((flags >>> 7) & 1) === old.wrap && ((flags >>> 15) & 1) === old.wrap
      if (published) this.#finishBatch()
      else {
        this.#store(FREE_HEAD, this.#load(OLD_FREE_HEAD))
        this.#setUsed(old)
      }
    } else if (this.#area.isMarked(this.#load(OLD_FREE_HEAD) % this.queueSize)) {
      // Died inside take(), after the chain was noted.
      this.#store(OLD_FREE_HEAD, this.#load(FREE_HEAD))
    } else {
      // Died inside take(), before it, or inside use(): chains that were being given back are still in flight.
      this.#store(FREE_HEAD, this.#load(OLD_FREE_HEAD))
    }
    // The area is the frontend's, too: chains beyond what the ring has room for are none, and are not read.
    let room = this.queueSize
    const kept: PackedInflight[] = []
    for (const entry of this.#area.marked()) {
      const count = this.#load(this.#at(entry) + STATE_NUM)
      if (count < 1 || count > room) {
        this.#area.mark(entry, 0)
        continue
      }
      room -= count
      kept.push({ entry, descriptors: this.#chain(entry, count) })
    }
    return kept
  }

  /**
   * A chain was taken.
   *
   * @param descriptors as they stood in the ring, 1 or more
   * @returns its entry, or -1 when the area has no room: the driver made more available than its ring holds
   */
  take(descriptors: readonly PackedDescriptor[]): number {
    const first = this.#load(FREE_HEAD) % this.queueSize
    const head = this.#at(first)
    let entry = first
    for (const [index, descriptor] of descriptors.entries()) {
      const at = this.#at(entry)
      if (this.#area.isMarked(entry) || (index > 0 && entry === first)) return -1
      this.#view.setBigUint64(at + STATE_ADDR, BigInt(descriptor.address), true)
      this.#view.setUint32(at + STATE_LEN, descriptor.length, true)
      this.#store(at + STATE_ID, descriptor.id)
      this.#store(at + STATE_FLAGS, descriptor.flags)
      this.#store(head + STATE_NUM, index + 1)
      this.#store(head + STATE_LAST, entry)
      entry = this.#load(at + STATE_NEXT) % this.queueSize
    }
    this.#area.count(first)
    this.#store(FREE_HEAD, entry)
    this.#area.mark(first, 1)
    this.#store(OLD_FREE_HEAD, entry)
    return first
  }

  /** A chain is done; its used descriptor is published next, with those of the same batch. */
  use(entry: number): void {
    const last = this.#load(this.#at(entry) + STATE_LAST) % this.queueSize
    this.#store(this.#at(last) + STATE_NEXT, this.#load(FREE_HEAD))
    this.#store(FREE_HEAD, entry)
    this.#area.batch(entry)
  }

  /** The batch is published next; `used` is the position after it. */
  publishing(used: PackedUsedPosition): void {
    this.#setUsed(used)
  }

  /** The batch was published: it is no longer in flight. */
  commit(): void {
    this.#area.finishBatch()
    this.#copyToOld()
  }

  /** Entries that became free by the last batch: those from free_head to old_free_head. */
  #finishBatch(): void {
    const end = this.#load(OLD_FREE_HEAD)
    let entry = this.#load(FREE_HEAD) % this.queueSize
    for (let i = 0; i < this.queueSize && entry !== end; i++) {
      this.#area.mark(entry, 0)
      const last = this.#load(this.#at(entry) + STATE_LAST) % this.queueSize
      entry = this.#load(this.#at(last) + STATE_NEXT) % this.queueSize
    }
    this.#copyToOld()
  }

  /** The first `count` descriptors of a chain. */
  #chain(entry: number, count: number): PackedDescriptor[] {
    const found: PackedDescriptor[] = []
    for (let i = 0, at = this.#at(entry); i < count; i++) {
      found.push({
        address: Number(this.#view.getBigUint64(at + STATE_ADDR, true)),
        length: this.#view.getUint32(at + STATE_LEN, true),
        id: this.#load(at + STATE_ID),
        flags: this.#load(at + STATE_FLAGS),
      })
      at = this.#at(this.#load(at + STATE_NEXT) % this.queueSize)
    }
    return found
  }

  #setUsed({ index, wrap }: PackedUsedPosition): void {
    this.#store(USED_IDX, index)
    Atomics.store(this.#area.u8, USED_WRAP, wrap)
  }

  #copyToOld(): void {
    this.#store(OLD_FREE_HEAD, this.#load(FREE_HEAD))
    this.#store(OLD_USED_IDX, this.#load(USED_IDX))
    Atomics.store(this.#area.u8, OLD_USED_WRAP, this.#area.u8[USED_WRAP]!)
  }

  #at(entry: number): number {
    return this.#area.at(entry)
  }

  #load(offset: number): number {
    return this.#area.load(offset)
  }

  #store(offset: number, value: number): void {
    this.#area.store(offset, value)
  }
}
