import type { Access, AddressMap, MemoryView } from '@vring/memory'
import { CountingCpu } from './counting-cpu.ts'
import type { Step } from './steps.ts'

/** One step as it happened. */
export interface RecordedStep {
  readonly step: Step
  /** Address of a walk, byte offset in the view of a load or store, else -1. */
  readonly at: number
  /** Bytes of a walk, load or store, else 0. */
  readonly length: number
  /** The access orders others: an acquire load or a release store. */
  readonly ordered: boolean
}

/** A load that was just done: of `length` bytes from byte `at` of `array` on. */
export type OnLoad = (array: Uint8Array | Uint16Array | Uint32Array, at: number, length: number) => void

/**
 * The port that remembers: counts as {@link CountingCpu} does and keeps every step in order. For tests and for people;
 * it allocates.
 */
export class RecordingCpu extends CountingCpu {
  readonly recorded: RecordedStep[] = []
  /**
   * What happens as soon as something was loaded, before the device looks at it: a driver that is quicker than the
   * device.
   */
  onLoad: OnLoad | null = null

  /** The names of the steps recorded so far. */
  names(): Step[] {
    return this.recorded.map(({ step }) => step)
  }

  /** Forgets what was recorded and counted. */
  override reset(): void {
    super.reset()
    this.recorded.length = 0
  }

  override stac(): void {
    this.#record('stac')
    super.stac()
  }

  override clac(): void {
    this.#record('clac')
    super.clac()
  }

  override lfence(): void {
    this.#record('lfence')
    super.lfence()
  }

  override mb(): void {
    this.#record('mb')
    super.mb()
  }

  override rmb(): void {
    this.#record('rmb')
    super.rmb()
  }

  override wmb(): void {
    this.#record('wmb')
    super.wmb()
  }

  override checkLimit(address: number, length: number, limit: number): boolean {
    this.#record('limitCheck', address, length)
    return super.checkLimit(address, length, limit)
  }

  override predict(condition: boolean): boolean {
    this.#record('predict')
    return super.predict(condition)
  }

  override mask(value: number, limit: number): number {
    this.#record('mask', value)
    return super.mask(value, limit)
  }

  override translate(map: AddressMap, address: number, length: number, access: Access): number {
    this.#record('walk', address, length)
    return super.translate(map, address, length, access)
  }

  override indexNospec(index: number, size: number): number {
    this.#record('mask', index)
    return super.indexNospec(index, size)
  }

  override load16(words: Uint16Array, index: number): number {
    this.#record('load', 2 * index, 2)
    const value = super.load16(words, index)
    this.loaded(words, 2 * index, 2)
    return value
  }

  override load16Acquire(words: Uint16Array, index: number): number {
    this.#record('load', 2 * index, 2, true)
    const value = super.load16Acquire(words, index)
    this.loaded(words, 2 * index, 2)
    return value
  }

  override load32(words: Uint32Array, index: number): number {
    this.#record('load', 4 * index, 4)
    const value = super.load32(words, index)
    this.loaded(words, 4 * index, 4)
    return value
  }

  override load64(words: Uint32Array, index: number): number {
    this.#record('load', 4 * index, 8)
    const value = super.load64(words, index)
    this.loaded(words, 4 * index, 8)
    return value
  }

  override loadWords(words: Uint32Array, index: number, out: Uint32Array, at: number, count: number): void {
    this.#recordPairs('load', index, count)
    super.loadWords(words, index, out, at, count)
    this.loaded(words, 4 * index, 4 * count)
  }

  override store16(words: Uint16Array, index: number, value: number): void {
    this.#record('store', 2 * index, 2)
    super.store16(words, index, value)
  }

  override store16Release(words: Uint16Array, index: number, value: number): void {
    this.#record('store', 2 * index, 2, true)
    super.store16Release(words, index, value)
  }

  override store32(words: Uint32Array, index: number, value: number): void {
    this.#record('store', 4 * index, 4)
    super.store32(words, index, value)
  }

  override storeWords(words: Uint32Array, index: number, from: Uint32Array, at: number, count: number): void {
    this.#recordPairs('store', index, count)
    super.storeWords(words, index, from, at, count)
  }

  override copy(to: MemoryView, toOffset: number, from: MemoryView, fromOffset: number, length: number): void {
    super.copy(to, toOffset, from, fromOffset, length)
    this.loaded(from.u8, fromOffset, length)
  }

  override lock(): void {
    this.#record('lock')
    super.lock()
  }

  override iotlbLookup(): void {
    this.#record('iotlbLookup')
    super.iotlbLookup()
  }

  protected loaded(array: Uint8Array | Uint16Array | Uint32Array, at: number, length: number): void {
    this.onLoad?.(array, at, length)
  }

  #recordPairs(step: Step, index: number, count: number): void {
    for (let word = 0; word < count; word += 2) this.#record(step, 4 * (index + word), 4 * Math.min(2, count - word))
  }

  #record(step: Step, at = -1, length = 0, ordered = false): void {
    this.recorded.push({ step, at, length, ordered })
  }
}
