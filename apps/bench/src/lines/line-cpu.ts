import { CountingCpu } from '@vring/accessor'
import type { MemoryView } from '@vring/memory'

/** Told of each access of the device: byte offset in the view, bytes, and whether it writes. */
export type Touch = (offset: number, length: number, write: boolean) => void

/** The port that tells which bytes the real datapath touches, one access at a time. */
export class LineCpu extends CountingCpu {
  readonly #view: MemoryView
  readonly #touch: Touch

  /** @param view of the memory that the driver shares; what lies elsewhere is the device's own */
  constructor(view: MemoryView, touch: Touch) {
    super()
    this.#view = view
    this.#touch = touch
  }

  override load16(words: Uint16Array, index: number): number {
    this.#access(words, 2 * index, 2, false)
    return super.load16(words, index)
  }

  override load16Acquire(words: Uint16Array, index: number): number {
    this.#access(words, 2 * index, 2, false)
    return super.load16Acquire(words, index)
  }

  override load32(words: Uint32Array, index: number): number {
    this.#access(words, 4 * index, 4, false)
    return super.load32(words, index)
  }

  override load64(words: Uint32Array, index: number): number {
    this.#access(words, 4 * index, 8, false)
    return super.load64(words, index)
  }

  override loadWords(words: Uint32Array, index: number, out: Uint32Array, at: number, count: number): void {
    this.#access(words, 4 * index, 4 * count, false)
    super.loadWords(words, index, out, at, count)
  }

  override store16(words: Uint16Array, index: number, value: number): void {
    this.#access(words, 2 * index, 2, true)
    super.store16(words, index, value)
  }

  override store16Release(words: Uint16Array, index: number, value: number): void {
    this.#access(words, 2 * index, 2, true)
    super.store16Release(words, index, value)
  }

  override store32(words: Uint32Array, index: number, value: number): void {
    this.#access(words, 4 * index, 4, true)
    super.store32(words, index, value)
  }

  override storeWords(words: Uint32Array, index: number, from: Uint32Array, at: number, count: number): void {
    // What is there already is looked at, and not stored again.
    for (let i = 0; i < count; i++) this.#access(words, 4 * (index + i), 4, words[index + i] !== from[at + i])
    super.storeWords(words, index, from, at, count)
  }

  override copy(to: MemoryView, toOffset: number, from: MemoryView, fromOffset: number, length: number): void {
    this.#access(from.u8, fromOffset, length, false)
    this.#access(to.u8, toOffset, length, true)
    super.copy(to, toOffset, from, fromOffset, length)
  }

  #access({ buffer, byteOffset }: ArrayBufferView, offset: number, length: number, write: boolean): void {
    if (buffer === this.#view.u8.buffer && length > 0) this.#touch(byteOffset + offset, length, write)
  }
}
