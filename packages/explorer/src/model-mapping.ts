import { type KernelMapping, type MemoryView, PAGE_BYTES } from '@vring/memory'

/** What an address space does for its mappings. */
export interface MappingOwner {
  markDirty(mapping: ModelMapping): void
  release(mapping: ModelMapping): void
}

/** A mapping of the model: frames, and whether it was given back. */
export class ModelMapping implements KernelMapping {
  readonly name: string
  readonly view: MemoryView
  readonly base: number
  readonly frames: readonly number[]
  /** Location: is it held? */
  readonly live: number
  readonly #owner: MappingOwner
  readonly #inPage: number

  constructor(
    owner: MappingOwner,
    view: MemoryView,
    name: string,
    inPage: number,
    frames: readonly number[],
    live: number,
  ) {
    this.#owner = owner
    this.name = name
    this.view = view
    this.frames = frames
    this.live = live
    this.#inPage = inPage
    const contiguous = frames.every((frame, at) => frame === frames[0]! + at)
    this.base = contiguous ? frames[0]! * PAGE_BYTES + inPage : -1
  }

  offsetOf(offset: number): number {
    const at = this.#inPage + offset
    return this.frames[Math.floor(at / PAGE_BYTES)]! * PAGE_BYTES + (at % PAGE_BYTES)
  }

  markDirty(): void {
    this.#owner.markDirty(this)
  }

  release(): void {
    this.#owner.release(this)
  }
}
