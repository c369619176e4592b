import { expect, it } from 'vitest'
import { HUGE_BYTES, PAGE_BYTES } from '../page-size.ts'
import { describeEntry } from './describe-entry.ts'
import type { Mm } from './mm.ts'
import { PTE_FRAME_SHIFT, PTE_MIGRATION } from './page-table.ts'
import { PagedSpace } from './paged-space.ts'

/** The entry of an address, as the only space of its memory has it. */
function describe(space: PagedSpace, address: number): ReturnType<typeof describeEntry> {
  const [mm] = space.physical.spaces as Iterable<Mm>
  return describeEntry(mm!.table.entry(Math.floor(address / PAGE_BYTES)))
}

it('an entry names what memory management did to its page', () => {
  const space = new PagedSpace({ frames: 8 })
  const at = space.mmap({ length: PAGE_BYTES })
  expect(describe(space, at)).toEqual({ flags: [], frame: -1, swapSlot: -1 })
  space.write(at, Uint8Array.of(1))
  const { frame, ...rest } = describe(space, at)
  expect(rest).toEqual({ flags: ['present', 'write', 'user', 'accessed', 'dirty'], swapSlot: -1 })
  expect(frame).toBeGreaterThanOrEqual(0)
  space.hintNuma(at, PAGE_BYTES)
  expect(describe(space, at)).toMatchObject({ flags: expect.arrayContaining(['no access']), frame })
  expect(describe(space, at).flags).not.toContain('present')
  space.reclaim(at, PAGE_BYTES)
  expect(describe(space, at)).toMatchObject({ flags: ['swapped'], frame: -1 })
  expect(describe(space, at).swapSlot).toBeGreaterThan(0)
})

it('a huge page is one, and each of its pages has its frame', () => {
  const space = new PagedSpace({ frames: 1024 })
  const at = space.mmap({ kind: 'hugetlb', length: HUGE_BYTES, populate: true })
  const head = describe(space, at)
  expect(head.flags).toContain('huge')
  expect(describe(space, at + 5 * PAGE_BYTES).frame).toBe(head.frame + 5)
})

it('a page that is being copied elsewhere gives no access', () => {
  expect(describeEntry((7 << PTE_FRAME_SHIFT) | PTE_MIGRATION)).toEqual({
    flags: ['migrating'],
    frame: -1,
    swapSlot: -1,
  })
})
