import { PAGE_BYTES } from '@vring/memory'
import type { Machine } from './machine.ts'

/** Contents of frames: one variable for each word that is ever accessed, a descriptor and a used element being one. */
export class FrameWords {
  /** Offsets in a page of the words that there are. */
  readonly offsets: Set<number> = new Set<number>()
  readonly #frames = new Map<number, number>()

  /** The word at a byte offset of physical memory. */
  at(machine: Machine, offset: number): number {
    return this.in(machine, Math.floor(offset / PAGE_BYTES), offset % PAGE_BYTES)
  }

  /** The word of a frame. */
  in(machine: Machine, frame: number, inPage: number): number {
    this.offsets.add(inPage)
    const location = machine.location(`${frame}:${inPage}`, 0)
    this.#frames.set(location, frame)
    return location
  }

  zero(machine: Machine, frame: number): void {
    for (const offset of this.offsets) machine.set(this.in(machine, frame, offset), 0)
  }

  copy(machine: Machine, from: number, to: number): void {
    for (const offset of this.offsets)
      machine.set(this.in(machine, to, offset), machine.get(this.in(machine, from, offset)))
  }

  equal(machine: Machine, a: number, b: number): boolean {
    return [...this.offsets].every(
      (offset) => machine.get(this.in(machine, a, offset)) === machine.get(this.in(machine, b, offset)),
    )
  }

  /** Has no thread a store to them under way, or to those of one frame? */
  isDrained(machine: Machine, frame?: number): boolean {
    return !machine.isBuffered((location) => {
      const owner = this.#frames.get(location)
      return owner !== undefined && (frame === undefined || owner === frame)
    })
  }
}
