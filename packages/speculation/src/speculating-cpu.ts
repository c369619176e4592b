import { type Cpu, plainCpu } from '@vring/accessor'
import type { Access, AddressMap, MemoryView } from '@vring/memory'
import type { SpeculativeSpace } from './speculative-space.ts'

/** What a transient access did that it should not have. */
export type LeakKind =
  /** A load through a direct mapping, at an address outside it. */
  | 'left-mapping'
  /** A load of a user address at or above the limit of user space. */
  | 'left-user-space'
  /** A load in the user view that no translation of this path covers. */
  | 'left-translation'
  /** The address of a load depends on what an earlier one fetched out of bounds. */
  | 'secret-reached-address'

/** One transient load that left its object. */
export interface TransientLoad {
  readonly kind: Exclude<LeakKind, 'secret-reached-address'>
  /** The load's object, for people. */
  readonly object: string
  /** Bytes from the start of the object. */
  readonly offset: number
  /** Bytes. */
  readonly length: number
}

/** How one path is executed. */
export interface PathPlan {
  /** Ordinals, in ascending order, of the branches that are mispredicted. */
  readonly mispredict: readonly number[]
  /** Port operations that execute transiently before the first misprediction is found out. */
  readonly window: number
  /** 32-bit words that out-of-bounds loads give, one after the other, over and over. */
  readonly secret: readonly number[]
}

/** Thrown through the code under test when its transient path is squashed. */
const squash: object = Object.freeze({ squash: true })

/** Offsets from here on stand for memory that is not in any view. */
const NOWHERE = 0x7000_0000

/**
 * A processor that mispredicts: follows a {@link PathPlan}, executes what is behind a mispredicted branch as the program
 * would run it, until a fence or the end of the window, and notes every load that leaves its object. Such a load gives a
 * word of the plan's secret, so that two runs with different secrets tell whether a secret reached an address.
 *
 * `lfence` squashes. `mask` holds, as a data dependency does. Faults give the program its errno: what hardware forwards
 * from a faulting load is not modelled.
 */
export class SpeculatingCpu implements Cpu {
  /** EFLAGS.AC, for an address space with SMAP. */
  ac = false
  /** Function names of the branches met so far, in order. */
  readonly branches: string[] = []
  /** Branches of {@link branches} that were met transiently, from this ordinal on; -1 when none was mispredicted. */
  transientFrom = -1
  /** Every transient load and walk: kind and address. Equal for two secrets, unless one reached an address. */
  readonly addresses: string[] = []
  readonly leaks: TransientLoad[] = []
  /** Transient loads of user memory outside the ring and the buffers: permitted, but worth knowing. */
  strayUserLoads = 0
  readonly #plan: PathPlan
  readonly #space: SpeculativeSpace
  readonly #translated: { view: MemoryView; start: number; end: number }[] = []
  #remaining = 0
  #secrets = 0

  constructor(plan: PathPlan, space: SpeculativeSpace) {
    this.#plan = plan
    this.#space = space
  }

  /** Runs the program; a squash ends it quietly. */
  run(program: () => void): void {
    try {
      program()
    } catch (thrown) {
      if (thrown !== squash) throw thrown
    }
  }

  get #transient(): boolean {
    return this.transientFrom >= 0
  }

  stac(): void {
    this.#tick()
    this.ac = true
  }

  clac(): void {
    this.#tick()
    this.ac = false
  }

  lfence(): void {
    if (this.#transient) throw squash
  }

  mb(): void {
    // Orders memory accesses; Intel and AMD document only lfence (and serialising instructions) to stop speculation.
    this.#tick()
  }

  wmb(): void {
    this.#tick()
  }

  checkLimit(address: number, length: number, limit: number): boolean {
    this.#tick()
    return plainCpu.checkLimit(address, length, limit)
  }

  predict(condition: boolean): boolean {
    this.#tick()
    const ordinal = this.branches.length
    this.branches.push(callerName())
    if (!this.#plan.mispredict.includes(ordinal)) return condition
    if (!this.#transient) {
      this.transientFrom = ordinal
      this.#remaining = this.#plan.window
    }
    return !condition
  }

  mask(value: number, limit: number): number {
    this.#tick()
    return plainCpu.mask(value, limit)
  }

  indexNospec(index: number, size: number): number {
    this.#tick()
    return plainCpu.indexNospec(index, size)
  }

  translate(map: AddressMap, address: number, length: number, access: Access): number {
    this.#tick()
    if (this.#transient) {
      this.#trace('walk', address)
      const outside = map === this.#space && (address < 0 || length > this.#space.limit - address)
      if (outside) {
        this.leaks.push({ kind: 'left-user-space', object: 'user address space', offset: address, length })
        return NOWHERE
      }
    }
    const at = plainCpu.translate(map, address, length, access)
    if (at < 0) return at
    this.#translated.push({ view: map.view, start: at, end: at + length })
    if (this.#transient && map === this.#space && !this.#space.isKnown(address, length)) this.strayUserLoads++
    return at
  }

  load16(words: Uint16Array, index: number): number {
    return this.#leaves(words, 2 * index, 2) ? this.#secretWord() & 0xffff : plainCpu.load16(words, index)
  }

  load16Acquire(words: Uint16Array, index: number): number {
    return this.load16(words, index)
  }

  load32(words: Uint32Array, index: number): number {
    return this.#leaves(words, 4 * index, 4) ? this.#secretWord() : plainCpu.load32(words, index)
  }

  load64(words: Uint32Array, index: number): number {
    if (!this.#leaves(words, 4 * index, 8)) return plainCpu.load64(words, index)
    return this.#secretWord() * 0x1_0000_0000 + this.#secretWord()
  }

  loadWords(words: Uint32Array, index: number, out: Uint32Array, at: number, count: number): void {
    if (!this.#leaves(words, 4 * index, 4 * count)) plainCpu.loadWords(words, index, out, at, count)
    else for (let word = 0; word < count; word++) out[at + word] = this.#secretWord()
  }

  // A transient store stays in the store buffer: the run ends with the squash, so memory may as well hold it.
  store16(words: Uint16Array, index: number, value: number): void {
    this.#tick()
    if (2 * index < NOWHERE) plainCpu.store16(words, index, value)
  }

  store16Release(words: Uint16Array, index: number, value: number): void {
    this.store16(words, index, value)
  }

  store32(words: Uint32Array, index: number, value: number): void {
    this.#tick()
    if (4 * index < NOWHERE) plainCpu.store32(words, index, value)
  }

  storeWords(words: Uint32Array, index: number, from: Uint32Array, at: number, count: number): void {
    this.#tick()
    if (4 * index < NOWHERE) plainCpu.storeWords(words, index, from, at, count)
  }

  copy(to: MemoryView, toOffset: number, from: MemoryView, fromOffset: number, length: number): void {
    if (!this.#leaves(from.u32, fromOffset, length)) plainCpu.copy(to, toOffset, from, fromOffset, length)
  }

  lock(): void {
    this.#tick()
  }

  unlock(): void {
    this.#tick()
  }

  iotlbLookup(): void {
    this.#tick()
  }

  /** Is this a transient load outside its object? Notes it. */
  #leaves(words: Uint16Array | Uint32Array, offset: number, length: number): boolean {
    this.#tick()
    if (!this.#transient) return false
    this.#trace('load', offset)
    if (offset >= NOWHERE) return true
    const mapping = this.#space.mappingOf(words)
    if (mapping === undefined) {
      const covered = this.#translated.some(
        (range) => range.view.buffer === words.buffer && offset >= range.start && offset + length <= range.end,
      )
      // Views that are no device memory (a private copy) are not the space's: nothing to leave.
      if (covered || words.buffer !== this.#space.view.buffer) return false
      this.leaks.push({ kind: 'left-translation', object: 'translated range', offset, length })
      return true
    }
    const { start, end, name } = mapping
    if (offset >= start && length <= end - offset) return false
    this.leaks.push({ kind: 'left-mapping', object: name, offset: offset - start, length })
    return true
  }

  #tick(): void {
    if (!this.#transient) return
    if (this.#remaining-- === 0) throw squash
  }

  #trace(kind: string, address: number): void {
    // Decimal, as the offsets of what was loaded beside it.
    this.addresses.push(`${kind} at ${address}`)
  }

  #secretWord(): number {
    const { secret } = this.#plan
    return secret[this.#secrets++ % secret.length]! >>> 0
  }
}

/** The function that called `predict`, as the engine names it. */
function callerName(): string {
  const frame = new Error().stack?.split('\n')[3] ?? ''
  return /at (?:async )?([^\s(]+)/.exec(frame)?.[1] ?? 'unknown'
}
