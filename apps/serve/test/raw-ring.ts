import { EventFd } from '@vring/linux'

export const NEXT = 1
export const WRITE = 2
export const INDIRECT = 4
const AVAIL = 1 << 7
const USED = 1 << 15

/** Where a ring is, and its event descriptors. */
abstract class Placed {
  readonly kick = EventFd.create()
  readonly call = EventFd.create()
  readonly error = EventFd.create()
  readonly size: number
  readonly desc: number
  readonly avail: number
  readonly used: number
  /** Chains that were offered. */
  availIdx = 0
  protected readonly view: DataView

  /** @param at offset in the memory, a multiple of 4096 */
  constructor(view: DataView, size: number, at: number) {
    this.view = view
    this.size = size
    this.desc = at
    this.avail = at + 16 * size
    this.used = (this.avail + 6 + 2 * size + 4095) & ~4095
  }

  close(): void {
    for (const event of [this.kick, this.call, this.error]) event.close()
  }
}

/** One ring, written by hand: with whatever indices, lengths and flags a test wants. */
export interface RawRing extends Placed {
  /** What a device starts at that serves it from the beginning. */
  readonly base: number
  /** Chains that the device gave back. */
  readonly usedIdx: number
  /** Writes a descriptor of the ring, or of an indirect table at `table`. */
  descriptor(index: number, address: number, length: number, flags?: number, next?: number, table?: number): void
  /** Makes the chains available that begin with these descriptors, and kicks. */
  offer(...heads: number[]): void
}

export class RawSplitRing extends Placed implements RawRing {
  readonly base = 0

  descriptor(index: number, address: number, length: number, flags = 0, next = 0, table = this.desc): void {
    const at = table + 16 * index
    this.view.setBigUint64(at, BigInt(address), true)
    this.view.setUint32(at + 8, length, true)
    this.view.setUint16(at + 12, flags, true)
    this.view.setUint16(at + 14, next, true)
  }

  offer(...heads: number[]): void {
    for (const head of heads) {
      this.view.setUint16(this.avail + 4 + 2 * (this.availIdx % this.size), head, true)
      this.availIdx = (this.availIdx + 1) & 0xffff
    }
    this.view.setUint16(this.avail + 2, this.availIdx, true)
    this.kick.signal()
  }

  get usedIdx(): number {
    return this.view.getUint16(this.used + 2, true)
  }
}

interface Descriptor {
  readonly address: number
  readonly length: number
  readonly flags: number
  readonly next: number
}

/** Descriptors of the ring itself stay here until their chain is offered: a packed ring takes them in order. */
export class RawPackedRing extends Placed implements RawRing {
  /** Both positions at slot 0 of the first lap. */
  readonly base = 0x8000_8000
  readonly #descriptors: Descriptor[] = []
  /** Ring entries of each chain that is offered and not given back. */
  readonly #open: number[] = []
  #slot = 0
  #lap = 1
  #usedSlot = 0
  #usedLap = 1
  #used = 0

  descriptor(index: number, address: number, length: number, flags = 0, next = 0, table = this.desc): void {
    if (table === this.desc) this.#descriptors[index] = { address, length, flags, next }
    else this.#write(table + 16 * index, address, length, 0, flags)
  }

  offer(...heads: number[]): void {
    for (const head of heads) {
      let entries = 0
      for (let index = head; ; entries++) {
        const { address, length, flags, next } = this.#descriptors[index]!
        const position = this.#lap === 1 ? AVAIL : USED
        this.#write(this.desc + 16 * this.#slot, address, length, head, flags | position)
        this.#slot++
        if (this.#slot === this.size) {
          this.#slot = 0
          this.#lap ^= 1
        }
        // A chain without end takes the ring once.
        if ((flags & NEXT) === 0 || entries + 1 === this.size) break
        index = next
      }
      this.#open.push(entries + 1)
      this.availIdx = (this.availIdx + 1) & 0xffff
    }
    this.kick.signal()
  }

  get usedIdx(): number {
    while (this.#open.length > 0) {
      const flags = this.view.getUint16(this.desc + 16 * this.#usedSlot + 14, true)
      const done = this.#usedLap === 1 ? AVAIL | USED : 0
      if ((flags & (AVAIL | USED)) !== done) break
      this.#usedSlot += this.#open.shift()!
      if (this.#usedSlot >= this.size) {
        this.#usedSlot -= this.size
        this.#usedLap ^= 1
      }
      this.#used = (this.#used + 1) & 0xffff
    }
    return this.#used
  }

  #write(at: number, address: number, length: number, id: number, flags: number): void {
    this.view.setBigUint64(at, BigInt(address), true)
    this.view.setUint32(at + 8, length, true)
    this.view.setUint16(at + 12, id, true)
    this.view.setUint16(at + 14, flags, true)
  }
}
