import { type Cpu, plainCpu } from '@vring/accessor'
import type { Access, AddressMap, MemoryView } from '@vring/memory'
import { PrivateMemory } from './private-memory.ts'
import type { SpeculatedMemory } from './speculative-space.ts'

/** What a transient access did that it should not have. */
export type LeakKind =
  /** A load through a direct mapping, at an address outside it. */
  | 'left-mapping'
  /** A load of a user address at or above the limit of user space. */
  | 'left-user-space'
  /** A load in the user view that no translation of this path covers. */
  | 'left-translation'
  /** A load outside a view that is neither user memory nor a mapping. */
  | 'left-view'
  /** The address of an access depends on what an earlier load fetched from another object. */
  | 'secret-reached-address'
  /** The outcome of a named branch does. */
  | 'secret-reached-branch'

/** One transient load that left its object. */
export interface TransientLoad {
  readonly kind: Exclude<LeakKind, 'secret-reached-address' | 'secret-reached-branch'>
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
  /** 32-bit words that loads of what is not the program's give, one after the other, over and over. */
  readonly secret: readonly number[]
}

/** Thrown through the code under test when its transient path is squashed. */
const squash: object = Object.freeze({ squash: true })

/** Offsets from here on stand for memory that is not in any view. */
const NOWHERE = 0x7000_0000

/**
 * A processor that mispredicts. It follows a {@link PathPlan}. It executes what comes after a mispredicted branch as
 * the program would run it, until a fence or the end of the window. It notes every load that leaves its object. Such a
 * load gives a word of the plan's secret. So does one of a private view at a place that the program had not loaded or
 * stored before. Two runs with different secrets tell whether one can be observed.
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
  /** Every transient load, store and walk: kind and address. Equal for two secrets, unless one reached an address. */
  readonly addresses: string[] = []
  /** Every transient named branch and its outcome. Equal for two secrets, unless one reached a branch. */
  readonly transientBranches: string[] = []
  readonly leaks: TransientLoad[] = []
  /** Words of the plan's secret that loads gave. */
  secretsGiven = 0
  /** From {@link observe} on: accesses by kind and address, fences, masks and named branches, in order. */
  readonly observed: string[] = []
  /** Loads of any kind that were no transient ones. */
  loads = 0
  /** Transient data dependencies on a bound. */
  masks = 0
  /** A fence, or the end of the window, ended the transient path. */
  squashed = false
  /** Transient loads of user memory outside the ring and the buffers: permitted, but worth knowing. */
  strayUserLoads = 0
  readonly #plan: PathPlan
  readonly #space: SpeculatedMemory
  readonly #private: PrivateMemory
  readonly #translated: { view: MemoryView; start: number; end: number }[] = []
  #remaining = 0
  #observing = false

  constructor(plan: PathPlan, space: SpeculatedMemory) {
    this.#plan = plan
    this.#space = space
    this.#private = new PrivateMemory((view) => view.buffer === space.view.buffer)
  }

  /** Runs the program; a squash ends it quietly. */
  run(program: () => void): void {
    try {
      program()
    } catch (thrown) {
      if (thrown !== squash) throw thrown
      this.squashed = true
    }
  }

  /** From here on the path is transient, as after a mispredicted branch of the caller. */
  mispredictCaller(): void {
    this.transientFrom = this.branches.length
    this.#remaining = this.#plan.window
  }

  /** From here on the path stays as it is, and what it does is noted in {@link observed}. */
  observe(): void {
    this.#observing = true
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
    this.#note('fence')
    if (this.#transient) throw squash
  }

  mb(): void {
    // Orders memory accesses; Intel and AMD document only lfence (and serialising instructions) to stop speculation.
    this.#tick()
  }

  rmb(): void {
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
    this.#note('branch')
    const ordinal = this.branches.length
    this.branches.push(callerName())
    if (this.#transient) this.transientBranches.push(`${this.branches[ordinal]} is ${condition}`)
    if (!this.#plan.mispredict.includes(ordinal)) return condition
    if (!this.#transient) {
      this.transientFrom = ordinal
      this.#remaining = this.#plan.window
    }
    return !condition
  }

  mask(value: number, limit: number): number {
    this.#tick()
    this.#note('mask')
    if (this.#transient) this.masks++
    return plainCpu.mask(value, limit)
  }

  indexNospec(index: number, size: number): number {
    this.#tick()
    this.#note('mask')
    if (this.#transient) this.masks++
    return plainCpu.indexNospec(index, size)
  }

  translate(map: AddressMap, address: number, length: number, access: Access): number {
    this.#tick()
    this.#note(`walk at ${address}`)
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
    if (this.#stores(words, 2 * index, 2)) plainCpu.store16(words, index, value)
  }

  store16Release(words: Uint16Array, index: number, value: number): void {
    this.store16(words, index, value)
  }

  store32(words: Uint32Array, index: number, value: number): void {
    if (this.#stores(words, 4 * index, 4)) plainCpu.store32(words, index, value)
  }

  storeWords(words: Uint32Array, index: number, from: Uint32Array, at: number, count: number): void {
    if (this.#stores(words, 4 * index, 4 * count)) plainCpu.storeWords(words, index, from, at, count)
  }

  copy(to: MemoryView, toOffset: number, from: MemoryView, fromOffset: number, length: number): void {
    const foreign = this.#leaves(from.u32, fromOffset, length)
    this.#private.own(to, toOffset, length)
    if (!foreign) plainCpu.copy(to, toOffset, from, fromOffset, length)
    else for (let at = 0; at < length; at++) to.u8[toOffset + at] = this.#secretWord() & 0xff
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

  /** Notes a store; false: there is no memory at its address. */
  #stores(words: Uint16Array | Uint32Array, offset: number, length: number): boolean {
    this.#tick()
    this.#note(`store at ${offset}`)
    if (this.#transient) this.#trace('store', offset)
    if (offset >= NOWHERE) return false
    this.#private.own(words, offset, length)
    return true
  }

  /** Is this a transient load of what is not the program's? Notes a load that leaves its object. */
  #leaves(words: Uint16Array | Uint32Array, offset: number, length: number): boolean {
    this.#tick()
    this.#note(`load at ${offset}`)
    if (!this.#transient) {
      this.loads++
      this.#private.own(words, offset, length)
      return false
    }
    this.#trace('load', offset)
    if (offset >= NOWHERE) return true
    const mapping = this.#space.mappingOf(words)
    if (mapping === undefined) {
      const covered = this.#translated.some(
        (range) => range.view.buffer === words.buffer && offset >= range.start && offset + length <= range.end,
      )
      if (covered) return false
      if (words.buffer !== this.#space.view.buffer) {
        const inside = offset >= 0 && length <= words.buffer.byteLength - offset
        if (!inside) this.leaks.push({ kind: 'left-view', object: 'private view', offset, length })
        return !inside || !this.#private.isOwn(words, offset, length)
      }
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

  #note(event: string): void {
    if (this.#observing) this.observed.push(event)
  }

  #trace(kind: string, address: number): void {
    // Decimal, as the offsets of what was loaded beside it.
    this.addresses.push(`${kind} at ${address}`)
  }

  #secretWord(): number {
    const { secret } = this.#plan
    return secret[this.secretsGiven++ % secret.length]! >>> 0
  }
}

/** The function that called `predict`, as the engine names it. */
function callerName(): string {
  const frame = new Error().stack?.split('\n')[3] ?? ''
  return /at (?:async )?([^\s(]+)/.exec(frame)?.[1] ?? 'unknown'
}
