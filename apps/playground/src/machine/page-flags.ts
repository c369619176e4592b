/**
 * The bits of a page-table entry, as `@vring/memory` lays them out: those of x86-64 where the hardware has them (Intel
 * SDM volume 3 table 4-20), then the kernel's own. The tests hold them to what the model does.
 */
const FLAGS: readonly (readonly [bit: number, name: string])[] = [
  [0x001, 'present'],
  [0x002, 'write'],
  [0x004, 'user'],
  [0x020, 'accessed'],
  [0x040, 'dirty'],
  [0x100, 'no access'],
  [0x200, 'swapped'],
  [0x400, 'migrating'],
]

const FRAME_SHIFT = 12
/** The entry names a frame: present, or kept from the hardware only. */
const HAS_FRAME = 0x101
const SWAPPED = 0x200

/** Names of the flags that are set. */
export function pageFlags(entry: number): string[] {
  return FLAGS.filter(([bit]) => (entry & bit) !== 0).map(([, name]) => name)
}

/** The frame that an entry names, or -1. */
export function pageFrame(entry: number): number {
  return (entry & HAS_FRAME) === 0 ? -1 : entry >>> FRAME_SHIFT
}

/** The swap slot that an entry names, or -1. */
export function swapSlot(entry: number): number {
  return (entry & SWAPPED) === 0 ? -1 : entry >>> FRAME_SHIFT
}
