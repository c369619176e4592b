import { type RecordedStep, RecordingCpu, type Step } from '@vring/accessor'
import type { MemoryView } from '@vring/memory'

/** Accesses and barriers. */
const ACCESSES: readonly Step[] = ['load', 'store', 'mb', 'rmb', 'wmb']

/**
 * A port that remembers every step, refuses arrays of a hold that is over, and can be made to mispredict.
 */
export class WatchingCpu extends RecordingCpu {
  /** Arrays of holds that are over. */
  readonly retired: Set<unknown> = new Set()
  /** The processor takes every check as passed. */
  mispredicts = false

  /** Loads and stores as they happened, and the barriers between them. */
  get accesses(): readonly RecordedStep[] {
    return this.recorded.filter(({ step }) => ACCESSES.includes(step))
  }

  override predict(condition: boolean): boolean {
    return super.predict(condition) || this.mispredicts
  }

  override copy(to: MemoryView, toOffset: number, from: MemoryView, fromOffset: number, length: number): void {
    super.copy(to, toOffset, from, fromOffset, length)
    this.recorded.push({ step: 'load', at: fromOffset, length, ordered: false })
  }

  override store16(words: Uint16Array, index: number, value: number): void {
    this.#alive(words)
    super.store16(words, index, value)
  }

  override store16Release(words: Uint16Array, index: number, value: number): void {
    this.#alive(words)
    super.store16Release(words, index, value)
  }

  override store32(words: Uint32Array, index: number, value: number): void {
    this.#alive(words)
    super.store32(words, index, value)
  }

  override storeWords(words: Uint32Array, index: number, from: Uint32Array, at: number, count: number): void {
    this.#alive(words)
    super.storeWords(words, index, from, at, count)
  }

  protected override loaded(array: Uint8Array | Uint16Array | Uint32Array, at: number, length: number): void {
    this.#alive(array)
    super.loaded(array, at, length)
  }

  #alive(words: unknown): void {
    if (this.retired.has(words)) throw new Error('memory of a hold that is over is touched')
  }
}
