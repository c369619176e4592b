import { CountingCpu } from '@vring/accessor'
import { DESC_BYTES, USED_ELEM_BYTES } from '@vring/layout'
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

  override load16(view: MemoryView, offset: number): number {
    this.#access(view, offset, 2, false)
    return super.load16(view, offset)
  }

  override load16Acquire(view: MemoryView, offset: number): number {
    this.#access(view, offset, 2, false)
    return super.load16Acquire(view, offset)
  }

  override load32(view: MemoryView, offset: number): number {
    this.#access(view, offset, 4, false)
    return super.load32(view, offset)
  }

  override loadDescriptor(view: MemoryView, offset: number, out: Uint32Array, index: number): void {
    this.#access(view, offset, DESC_BYTES, false)
    super.loadDescriptor(view, offset, out, index)
  }

  override store16(view: MemoryView, offset: number, value: number): void {
    this.#access(view, offset, 2, true)
    super.store16(view, offset, value)
  }

  override store16Release(view: MemoryView, offset: number, value: number): void {
    this.#access(view, offset, 2, true)
    super.store16Release(view, offset, value)
  }

  override store32(view: MemoryView, offset: number, value: number): void {
    this.#access(view, offset, 4, true)
    super.store32(view, offset, value)
  }

  override storeUsed(view: MemoryView, offset: number, elements: Uint32Array, index: number, count: number): void {
    for (let i = 0; i < count; i++) {
      const at = offset + USED_ELEM_BYTES * i
      const word = at >>> 2
      const from = 2 * (index + i)
      // What is there already is looked at, and not stored again.
      const same = view.u32[word] === elements[from] && view.u32[word + 1] === elements[from + 1]
      this.#access(view, at, USED_ELEM_BYTES, !same)
    }
    super.storeUsed(view, offset, elements, index, count)
  }

  override copy(to: MemoryView, toOffset: number, from: MemoryView, fromOffset: number, length: number): void {
    this.#access(from, fromOffset, length, false)
    this.#access(to, toOffset, length, true)
    super.copy(to, toOffset, from, fromOffset, length)
  }

  #access(view: MemoryView, offset: number, length: number, write: boolean): void {
    if (view.u8.buffer === this.#view.u8.buffer && length > 0) this.#touch(view.u8.byteOffset + offset, length, write)
  }
}
