import { refused } from '@vring/layout'
import { ACCESS_READ, ACCESS_WRITE } from '@vring/memory'
import type { Iotlb, IotlbEntry, IotlbMiss } from './iotlb.ts'

/** Entries that an IOTLB holds before it retires the oldest. Source: Linux `max_iotlb_entries`. */
export const IOTLB_ENTRIES_MAX = 2048

/** The last IOVA there is here: addresses are JS numbers, and 2^53 is out of range. */
export const IOVA_MAX: number = Number.MAX_SAFE_INTEGER

/** Questions that stay open; an older one is forgotten, and asked again when it is met again. */
const OPEN_MISSES_MAX = 2048

/** IOVAs whose page was asked for with the same permission are one question. */
const PAGE_BYTES = 4096

const NO_NUMBERS = new Float64Array(0)

/** Told that a translation which was missing may be there now: resume the round that stopped. */
export type UpdateListener = (miss: IotlbMiss) => void

/** What a {@link DeviceIotlb} is made of. */
export interface DeviceIotlbOptions {
  /** Entries before the oldest is retired, default {@link IOTLB_ENTRIES_MAX}. */
  readonly limit?: number
  /** Takes each question as it is asked, to be sent to the driver; default: {@link DeviceIotlb.takeMisses} has them. */
  readonly onMiss?: (miss: IotlbMiss) => void
}

/**
 * The device IOTLB of vhost. Updates may overlap: entries live side by side, and a lookup finds the one that begins
 * first. An invalidation drops every entry that it touches, whole. When the table is full the oldest entry retires.
 *
 * Entries are sorted by their first IOVA (equal ones by age), beside the running maximum of their last IOVAs. The first
 * entry whose running maximum reaches an address is the first entry that reaches it. So a lookup is one binary search
 * even where entries overlap.
 *
 * Source: Linux 6.18 `drivers/vhost/iotlb.c`, `vhost_process_iotlb_msg` and `vhost_iotlb_miss` in `drivers/vhost/vhost.c`.
 */
export class DeviceIotlb implements Iotlb {
  generation = 0
  readonly limit: number
  /** Sorted by iova; age breaks ties. */
  private readonly sorted: IotlbEntry[] = []
  private starts = NO_NUMBERS
  /** Largest `last` of the entries up to each one. */
  private reach = NO_NUMBERS
  /** Position that was found last. */
  private found = 0
  /** By age, oldest first. */
  private readonly ages = new Set<IotlbEntry>()
  private readonly open = new Map<string, IotlbMiss>()
  private unsent: IotlbMiss[] = []
  private readonly listeners = new Set<UpdateListener>()
  private readonly onMiss: ((miss: IotlbMiss) => void) | null

  /** @throws VringError ERR_OUT_OF_RANGE */
  constructor(options: DeviceIotlbOptions = {}) {
    const limit = options.limit ?? IOTLB_ENTRIES_MAX
    // The full range takes two entries.
    if (!(Number.isInteger(limit) && limit >= 2 && limit <= 2 ** 20))
      throw refused('ERR_OUT_OF_RANGE', 'limit', limit, '2 .. 2^20')
    this.limit = limit
    this.onMiss = options.onMiss ?? null
  }

  /** Entries in the table. */
  get size(): number {
    return this.sorted.length
  }

  /** Entries by iova. */
  get entries(): readonly IotlbEntry[] {
    return this.sorted
  }

  lookup(iova: number): IotlbEntry | null {
    const reach = this.reach
    const count = this.sorted.length
    // Buffers are used in order, and logged after that: the entry of before, or one beside it, is mostly the one.
    const { found } = this
    for (let at = Math.max(found - 1, 0); at < count && at <= found + 1; at++) {
      if (!(reach[at] >= iova && (at === 0 || reach[at - 1] < iova))) continue
      this.found = at
      return this.starts[at] <= iova ? this.sorted[at] : null
    }
    let low = 0
    let high = count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (reach[middle] < iova) low = middle + 1
      else high = middle
    }
    // The first entry that reaches iova; if it begins after iova, so do all later ones.
    this.found = low
    return low < count && this.starts[low] <= iova ? this.sorted[low] : null
  }

  miss(iova: number, perm: number): void {
    const key = `${Math.floor(iova / PAGE_BYTES)}:${perm}`
    if (this.open.has(key)) return
    const miss: IotlbMiss = { iova, perm }
    if (this.open.size >= OPEN_MISSES_MAX) this.forgetOldest()
    this.open.set(key, miss)
    this.ask(miss)
  }

  /** Questions that are open. */
  get openMisses(): number {
    return this.open.size
  }

  /** Asks every open question again, oldest first: the frontend that was asked is gone, and another has come. */
  askAgain(): void {
    this.unsent = []
    for (const miss of [...this.open.values()]) this.ask(miss)
  }

  /** Takes the questions that were not taken yet, oldest first: what to send as VHOST_IOTLB_MISS. */
  takeMisses(): IotlbMiss[] {
    const misses = this.unsent
    this.unsent = []
    return misses
  }

  /** Told of every question that an update answers; gives back what ends that. */
  onUpdate(listener: UpdateListener): () => void {
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
    }
  }

  /**
   * VHOST_IOTLB_UPDATE: adds a translation, then closes the questions inside it. The full range is kept as two entries,
   * as its size is no 64-bit number. What reaches above {@link IOVA_MAX} is cut there.
   *
   * @param size bytes
   * @param perm bit set of ACCESS_READ and ACCESS_WRITE
   * @throws VringError ERR_OUT_OF_RANGE for an empty or wrapping range (Linux refuses size 0 since it hung a thread:
   * commit e2ae38cf3d91), ERR_INVALID_ARGUMENT for a permission
   */
  update(iova: number, size: number, uaddr: number, perm: number): void {
    const last = this.lastOf(iova, size)
    if (!(Number.isSafeInteger(uaddr) && uaddr >= 0)) throw refused('ERR_OUT_OF_RANGE', 'uaddr', uaddr, '0 .. 2^53-1')
    if (!(Number.isInteger(perm) && perm >= ACCESS_READ && perm <= (ACCESS_READ | ACCESS_WRITE)))
      throw refused('ERR_INVALID_ARGUMENT', 'perm', perm, '1 (read), 2 (write) or 3 (both)')
    this.generation++
    if (iova === 0 && last === IOVA_MAX) {
      const middle = Math.floor(IOVA_MAX / 2)
      this.insert({ iova: 0, last: middle, uaddr, perm })
      this.insert({ iova: middle + 1, last, uaddr: uaddr + middle + 1, perm })
    } else this.insert({ iova, last, uaddr, perm })
    this.answer(iova, last)
  }

  /**
   * VHOST_IOTLB_INVALIDATE: drops every entry that overlaps the range.
   *
   * @param size bytes
   * @throws VringError ERR_OUT_OF_RANGE for an empty or wrapping range
   */
  invalidate(iova: number, size: number): void {
    const last = this.lastOf(iova, size)
    this.generation++
    const kept = this.sorted.filter((entry) => {
      const hit = entry.iova <= last && iova <= entry.last
      if (hit) this.ages.delete(entry)
      return !hit
    })
    this.sorted.splice(0, this.sorted.length, ...kept)
    this.index(0)
  }

  /** Drops every entry and every question: the feature or the device was reset. */
  reset(): void {
    this.generation++
    this.sorted.length = 0
    this.ages.clear()
    this.open.clear()
    this.unsent = []
  }

  private lastOf(iova: number, size: number): number {
    if (!(Number.isSafeInteger(iova) && iova >= 0)) throw refused('ERR_OUT_OF_RANGE', 'iova', iova, '0 .. 2^53-1')
    // A size beyond 2^53 is rounded, which changes nothing: the range is cut at IOVA_MAX.
    if (!(size >= 1 && size <= 2 ** 64 - iova && Number.isInteger(size)))
      throw refused('ERR_OUT_OF_RANGE', 'size', size, '1 .. 2^64-iova')
    return size - 1 > IOVA_MAX - iova ? IOVA_MAX : iova + (size - 1)
  }

  private insert(entry: IotlbEntry): void {
    // Most sessions have no IOMMU: the columns are made when there is something for them.
    if (this.starts === NO_NUMBERS) {
      this.starts = new Float64Array(this.limit)
      this.reach = new Float64Array(this.limit)
    }
    if (this.sorted.length >= this.limit) this.retire()
    const at = this.upperBound(entry.iova)
    this.sorted.splice(at, 0, entry)
    this.ages.add(entry)
    this.index(at)
  }

  private retire(): void {
    const [oldest] = this.ages
    this.ages.delete(oldest)
    const at = this.sorted.indexOf(oldest)
    this.sorted.splice(at, 1)
    this.index(at)
  }

  /** First position after all entries that begin at or before `iova`. */
  private upperBound(iova: number): number {
    const starts = this.starts
    let low = 0
    let high = this.sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (starts[middle] <= iova) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Brings both columns up to date from position `from` on. */
  private index(from: number): void {
    let reach = from > 0 ? this.reach[from - 1] : -1
    for (let i = from; i < this.sorted.length; i++) {
      const { iova, last } = this.sorted[i]
      reach = Math.max(reach, last)
      this.starts[i] = iova
      this.reach[i] = reach
    }
  }

  private ask(miss: IotlbMiss): void {
    if (this.onMiss === null) this.unsent.push(miss)
    else this.onMiss(miss)
  }

  private forgetOldest(): void {
    for (const [key, miss] of this.open) {
      this.open.delete(key)
      this.unsent = this.unsent.filter((other) => other !== miss)
      return
    }
  }

  /** Closes the questions in [iova, last], whatever their permission, and resumes who asked. */
  private answer(iova: number, last: number): void {
    for (const [key, miss] of [...this.open]) {
      if (miss.iova < iova || miss.iova > last) continue
      this.open.delete(key)
      this.unsent = this.unsent.filter((other) => other !== miss)
      for (const listener of [...this.listeners]) listener(miss)
    }
  }
}
