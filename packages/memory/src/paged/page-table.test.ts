import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PageTable, PTE_ACCESSED, PTE_HUGE, PTE_PRESENT } from './page-table.ts'

/** Pages that share and do not share tables at every depth, up to the last one below 2^47. */
const PAGES = [0, 1, 511, 512, 513, 2 ** 18 - 1, 2 ** 18, 2 ** 27 - 1, 2 ** 27, 2 ** 32 + 5, 2 ** 35 - 1]

describe('PageTable', () => {
  it('agrees with a map for any sequence of sets and clears, and frees every table with its last entry', () => {
    const step = fc.record({ page: fc.constantFrom(...PAGES), entry: fc.integer({ min: 0, max: 3 }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const table = new PageTable()
        const model = new Map<number, number>()
        for (const { page, entry } of steps) {
          table.set(page, entry === 0 ? 0 : (entry << 12) | PTE_PRESENT)
          if (entry === 0) model.delete(page)
          else model.set(page, (entry << 12) | PTE_PRESENT)
          for (const at of PAGES) expect(table.entry(at)).toBe(model.get(at) ?? 0)
          const found: number[] = []
          for (let at = table.next(0, 2 ** 35); at >= 0; at = table.next(at + 1, 2 ** 35)) found.push(at)
          expect(found).toEqual([...model.keys()].sort((a, b) => a - b))
        }
        for (const page of model.keys()) table.set(page, 0)
        expect(table.nodes).toBe(1)
      }),
      { numRuns: 60 },
    )
  })

  it('a huge entry maps 512 pages, each with its frame, and has the flags of all', () => {
    const table = new PageTable()
    table.setHuge(1024, (512 << 12) | PTE_PRESENT | PTE_HUGE)
    expect(table.entry(1024 + 7)).toBe((519 << 12) | PTE_PRESENT | PTE_HUGE)
    expect(table.entry(1023)).toBe(0)
    expect(table.entry(1536)).toBe(0)
    expect(table.next(0, 2 ** 35)).toBe(1024)
    expect(table.next(1030, 2 ** 35)).toBe(1030)
    table.addFlags(1024 + 7, PTE_ACCESSED)
    expect(table.entry(1024) & PTE_ACCESSED).toBe(PTE_ACCESSED)
    table.setHuge(1024, 0)
    expect(table.nodes).toBe(1)
  })

  it('next looks at [from, end) only', () => {
    const table = new PageTable()
    table.set(600, 1)
    expect(table.next(600, 601)).toBe(600)
    expect(table.next(0, 600)).toBe(-1)
    expect(table.next(601, 2 ** 35)).toBe(-1)
  })
})
