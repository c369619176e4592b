import { type RecordedStep, RecordingCpu } from '@vring/accessor'
import type { MemoryView } from '@vring/memory'

/**
 * A port that remembers every step, refuses arrays of a hold that is over, and can be made to behave as badly as a driver
 * and a processor may.
 */
export class WatchingCpu extends RecordingCpu {
  /** Arrays of holds that are over. */
  readonly retired: Set<unknown> = new Set()
  /** What the driver does to memory as soon as a part of it was loaded. */
  onLoad: ((at: number, length: number) => void) | null = null
  /** The processor takes every check as passed. */
  mispredicts = false

  /** Loads and stores as they happened, and the barriers between them. */
  get accesses(): readonly RecordedStep[] {
    return this.recorded.filter(({ step }) => step === 'load' || step === 'store' || step === 'mb' || step === 'wmb')
  }

  override predict(condition: boolean): boolean {
    return super.predict(condition) || this.mispredicts
  }

  override load16(words: Uint16Array, index: number): number {
    return this.#loaded(super.load16(words, index), words, 2 * index, 2)
  }

  override load16Acquire(words: Uint16Array, index: number): number {
    return this.#loaded(super.load16Acquire(words, index), words, 2 * index, 2)
  }

  override load32(words: Uint32Array, index: number): number {
    return this.#loaded(super.load32(words, index), words, 4 * index, 4)
  }

  override load64(words: Uint32Array, index: number): number {
    return this.#loaded(super.load64(words, index), words, 4 * index, 8)
  }

  override loadWords(words: Uint32Array, index: number, out: Uint32Array, at: number, count: number): void {
    super.loadWords(words, index, out, at, count)
    this.#loaded(0, words, 4 * index, 4 * count)
  }

  override copy(to: MemoryView, toOffset: number, from: MemoryView, fromOffset: number, length: number): void {
    super.copy(to, toOffset, from, fromOffset, length)
    this.recorded.push({ step: 'load', at: fromOffset, length, ordered: false })
    this.#loaded(0, from.u32, fromOffset, length)
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

  #loaded(value: number, words: Uint16Array | Uint32Array, offset: number, length: number): number {
    this.#alive(words)
    this.onLoad?.(offset, length)
    return value
  }

  #alive(words: unknown): void {
    if (this.retired.has(words)) throw new Error('memory of a hold that is over is touched')
  }
}
