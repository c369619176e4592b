import { describe, expect, test } from 'vitest'
import { type Edge, structureJumps } from './control-flow.ts'

/** `label open-close`, outer before inner. */
function structure(...edges: [number, number][]): string[] | null {
  const laid = structureJumps(edges.map(([from, to]): Edge => ({ from, to })))
  return laid?.map(({ label, open, close }) => `${label} ${open}-${close}`) ?? null
}

describe('jumps as labelled statements', () => {
  test('a forward jump is a block that ends at its target, one for all jumps to it', () => {
    expect(structure([2, 9], [5, 9])).toEqual(['F9 2-9'])
  })

  test('a backward jump is a loop that starts at its target', () => {
    expect(structure([7, 3], [5, 3])).toEqual(['L3 3-8'])
  })

  test('crossing forward jumps nest: the later target begins earlier', () => {
    expect(structure([1, 5], [3, 8])).toEqual(['F8 1-8', 'F5 1-5'])
  })

  test('a jump out of a loop becomes a block around it', () => {
    expect(structure([6, 2], [4, 9])).toEqual(['F9 2-9', 'L2 2-7'])
  })

  test('crossing loops nest: the earlier one ends later', () => {
    expect(structure([6, 2], [8, 4])).toEqual(['L2 2-9', 'L4 4-9'])
  })

  test('a jump into the middle of a loop has no structure', () => {
    expect(structure([1, 4], [6, 3])).toBeNull()
  })

  test('nor has more nesting than parsers take', () => {
    expect(structure(...Array.from({ length: 501 }, (_, i): [number, number] => [i, 2000 - i]))).toBeNull()
  })
})
