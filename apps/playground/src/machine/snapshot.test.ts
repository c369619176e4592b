import { expect, it } from 'vitest'
import { Machine } from './machine.ts'
import type { MemoryEventName } from './memory-events.ts'

const pageAfter = (...events: MemoryEventName[]) => {
  const machine = new Machine({ accessor: { name: 'copy-checked', options: {} }, backing: 'anonymous' })
  for (const event of events) machine.perform({ kind: 'memory', event, region: 'device' })
  return machine.moments.at(-1)!.snapshot.pages.find(({ region }) => region === 'device')!
}

it('a page that was written is present, writable and dirty, and in the TLB', () => {
  const page = pageAfter()
  expect(page.flags).toEqual(['present', 'write', 'user', 'accessed', 'dirty'])
  expect(page).toMatchObject({ vma: 'anonymous rw', tlb: 'read, write', swapSlot: -1 })
  expect(page.frame).toBeGreaterThanOrEqual(0)
})

it('flags and frames follow what memory management does', () => {
  expect(pageAfter('protect').flags).not.toContain('write')
  expect(pageAfter('protect')).toMatchObject({ vma: 'anonymous r-', tlb: '' })
  expect(pageAfter('hint-numa').flags).toContain('no access')
  expect(pageAfter('reclaim').flags).toContain('swapped')
  expect(pageAfter('reclaim').swapSlot).toBeGreaterThan(0)
  expect(pageAfter('reclaim').frame).toBe(-1)
  expect(pageAfter('dont-need')).toMatchObject({ flags: [], frame: -1, vma: 'anonymous rw' })
  expect(pageAfter('unmap')).toMatchObject({ flags: [], vma: null })
  expect(pageAfter('unmap', 'map').flags).toContain('present')
  expect(pageAfter('migrate').frame).not.toBe(pageAfter().frame)
})
