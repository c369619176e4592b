import type { UserSpace } from '@vring/memory'
import type { Machine } from './machine.ts'

/** Offsets from here on are user addresses, to be translated when the access happens; below, bytes of frames. */
export const USER_BASE: number = 2 ** 50

/** How memory is touched. */
export type Touch = 'read' | 'write'

/** An address space whose state is part of a world. An offset is a user address above {@link USER_BASE}, or a frame's. */
export interface ExploredSpace extends UserSpace {
  /** Within a step: location of the word, or -1 when a user page is not there. */
  locate(machine: Machine, offset: number, touch: Touch): number
  /** Within a step: reports an access that must not happen now. */
  check(machine: Machine, offset: number, touch: Touch): void
  /** Within a step: a write became visible. */
  written(machine: Machine, offset: number): void
  /** Thread code: the page fault of a user access; false when the page can't be had. */
  pageFault(offset: number, touch: Touch): boolean
  /** Thread code: every page is there again. */
  faultAll(): void
  /** Thread code: reports what is held or lost after the last queue has closed. */
  checkAllReleased(): void
}
