/**
 * Swap: page contents by slot. A slot is held by the page-table entries that name it and, while its page is in memory
 * too, by the swap cache. That finds the page for the next process that faults, and the slot for a page that is still
 * clean. Source: Linux `mm/swapfile.c`, `mm/swap_state.c`.
 */
export class SwapDevice {
  readonly #contents = new Map<number, Uint8Array>()
  readonly #entries = new Map<number, number>()
  readonly #frameOf = new Map<number, number>()
  readonly #slotOf = new Map<number, number>()
  /** Slot numbers fit into an entry, so they are used again. */
  readonly #free: number[] = []
  #nextSlot = 1

  /** Slots in use. */
  get size(): number {
    return this.#contents.size
  }

  /** A new slot for a frame, in the swap cache. */
  add(frame: number): number {
    const slot = this.#free.pop() ?? this.#nextSlot++
    this.#contents.set(slot, new Uint8Array(0))
    this.#entries.set(slot, 0)
    this.cache(slot, frame)
    return slot
  }

  /** Writes a page out. */
  write(slot: number, bytes: Uint8Array): void {
    this.#contents.set(slot, bytes.slice())
  }

  read(slot: number): Uint8Array {
    return this.#contents.get(slot)!
  }

  /** Page-table entries that name the slot. */
  entries(slot: number): number {
    return this.#entries.get(slot) ?? 0
  }

  hold(slot: number): void {
    this.#entries.set(slot, this.entries(slot) + 1)
  }

  /** An entry goes; the slot goes with its last one, unless the swap cache keeps it. */
  put(slot: number): void {
    this.#entries.set(slot, this.entries(slot) - 1)
    this.#forget(slot)
  }

  /** The frame that holds the slot's page, or -1. */
  frameOf(slot: number): number {
    return this.#frameOf.get(slot) ?? -1
  }

  /** The slot of a frame in the swap cache, or -1. */
  slotOf(frame: number): number {
    return this.#slotOf.get(frame) ?? -1
  }

  cache(slot: number, frame: number): void {
    this.#frameOf.set(slot, frame)
    this.#slotOf.set(frame, slot)
  }

  /** The slot's page is in another frame now. */
  moveCache(slot: number, frame: number): void {
    this.#slotOf.delete(this.frameOf(slot))
    this.cache(slot, frame)
  }

  uncache(slot: number): void {
    const frame = this.#frameOf.get(slot)
    if (frame === undefined) return
    this.#frameOf.delete(slot)
    this.#slotOf.delete(frame)
    this.#forget(slot)
  }

  #forget(slot: number): void {
    if (this.entries(slot) > 0 || this.#frameOf.has(slot) || !this.#contents.has(slot)) return
    this.#contents.delete(slot)
    this.#entries.delete(slot)
    this.#free.push(slot)
  }
}
