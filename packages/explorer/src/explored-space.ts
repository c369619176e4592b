import type { UserSpace } from '@vring/memory'
import type { Machine } from './machine.ts'

/** Offsets from here on stand for user addresses, to be translated when the access happens; below, bytes of frames. */
export const USER_BASE: number = 2 ** 30
const PAGE = 4096
/** Pages of user addresses by their place above {@link USER_BASE}: an offset has 31 bits, an address 53. */
const pages: number[] = []

/** The offset that stands for a user address. */
export function userOffset(address: number): number {
  const page = Math.floor(address / PAGE)
  let place = pages.indexOf(page)
  if (place < 0) place = pages.push(page) - 1
  return USER_BASE + place * PAGE + (address % PAGE)
}

/** The user address that an offset above {@link USER_BASE} stands for. */
export function userAddress(offset: number): number {
  const above = offset - USER_BASE
  return pages[Math.floor(above / PAGE)]! * PAGE + (above % PAGE)
}

/** How memory is touched. */
export type Touch = 'read' | 'write'

/**
 * An address space whose state is part of a world. An offset stands for a user address above {@link USER_BASE}, or a
 * frame's.
 */
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
