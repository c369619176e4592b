import type { CopyWindow, Window } from '@vring/accessor'

/**
 * One area of a queue. Every access is a copy by user access functions. It is the place to start from. It is also what
 * to fall back to when your way can't serve an access. Replace one method at a time; the conformance suite says what
 * broke.
 */
export class TemplateWindow implements Window {
  private readonly copy: CopyWindow

  constructor(copy: CopyWindow) {
    this.copy = copy
  }

  load16(offset: number): number {
    return this.copy.load16(offset)
  }

  load16Acquire(offset: number): number {
    return this.copy.load16Acquire(offset)
  }

  load32(offset: number): number {
    return this.copy.load32(offset)
  }

  loadWords(offset: number, out: Uint32Array, index: number, count: number): number {
    return this.copy.loadWords(offset, out, index, count)
  }

  store16(offset: number, value: number): number {
    return this.copy.store16(offset, value)
  }

  store16Release(offset: number, value: number): number {
    return this.copy.store16Release(offset, value)
  }

  store32(offset: number, value: number): number {
    return this.copy.store32(offset, value)
  }

  storeWords(offset: number, words: Uint32Array, index: number, count: number): number {
    return this.copy.storeWords(offset, words, index, count)
  }

  /** Copies since the last call. */
  takeCopies(): number {
    return this.copy.takeHits()
  }
}
