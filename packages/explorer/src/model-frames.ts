import { FrameWords } from './frame-words.ts'
import type { Machine } from './machine.ts'

/** A frame's owner: the number of a page, or this. */
export const FREE = -1

/**
 * Page frames of a small address space: whose each is, what its words hold, and what the kernel believes of it. Every call
 * belongs into a step.
 */
export class ModelFrames {
  readonly words: FrameWords = new FrameWords()
  readonly #machine: Machine
  readonly #count: number

  /** @param owners to begin with, one for each frame: a page's number, or {@link FREE} */
  constructor(machine: Machine, owners: readonly number[]) {
    this.#machine = machine
    this.#count = owners.length
    owners.forEach((owner, frame) => {
      machine.location(`owner ${frame}`, owner)
    })
  }

  /** The page that a frame belongs to, or {@link FREE}. */
  ownerOf(frame: number): number {
    return this.#machine.get<number>(this.#owner(frame))
  }

  /** Gives the lowest free frame to a page. */
  allocate(page: number): number {
    for (let frame = 0; frame < this.#count; frame++) {
      if (this.ownerOf(frame) !== FREE) continue
      this.#machine.set(this.#owner(frame), page)
      this.setClean(frame)
      return frame
    }
    throw new Error('the model has no free frame left')
  }

  free(frame: number): void {
    this.#machine.set(this.#owner(frame), FREE)
  }

  /** The page moves from one frame to another: contents, and what there is to save. */
  copy(from: number, to: number): void {
    const machine = this.#machine
    this.words.copy(machine, from, to)
    machine.set(this.#dirty(to), machine.get(this.#dirty(from)))
    machine.set(this.#unsaved(to), machine.get(this.#unsaved(from)))
    machine.set(this.#unsaved(from), false)
  }

  /** Does the page table say that the frame was written? */
  isDirty(frame: number): boolean {
    return this.#machine.get<boolean>(this.#dirty(frame))
  }

  setDirty(frame: number): void {
    this.#machine.set(this.#dirty(frame), true)
  }

  /** What the frame holds is saved, or new. */
  setClean(frame: number): void {
    this.#machine.set(this.#dirty(frame), false)
    this.#machine.set(this.#unsaved(frame), false)
  }

  /** A write that the page table does not see. */
  writtenBehind(frame: number): void {
    if (!this.isDirty(frame)) this.#machine.set(this.#unsaved(frame), true)
  }

  /** Was the frame written without a dirty mark? Then what was written is lost when its page goes. */
  isLost(frame: number): boolean {
    return this.#machine.get<boolean>(this.#unsaved(frame)) && !this.isDirty(frame)
  }

  /** Frames that {@link isLost} is true of. */
  lost(): number[] {
    return Array.from({ length: this.#count }, (_, frame) => frame).filter((frame) => this.isLost(frame))
  }

  /** Has a filesystem its buffers for the frame? */
  hasBuffers(frame: number): boolean {
    return this.#machine.get<boolean>(this.#buffers(frame))
  }

  setBuffers(frame: number, there: boolean): void {
    this.#machine.set(this.#buffers(frame), there)
  }

  #owner(frame: number): number {
    return this.#machine.location(`owner ${frame}`, FREE)
  }

  #dirty(frame: number): number {
    return this.#machine.location(`dirty ${frame}`, false)
  }

  #unsaved(frame: number): number {
    return this.#machine.location(`unsaved ${frame}`, false)
  }

  #buffers(frame: number): number {
    return this.#machine.location(`buffers ${frame}`, false)
  }
}
