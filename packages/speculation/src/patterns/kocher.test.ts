import { describe, expect, it } from 'vitest'
import { speculateProgram } from '../speculate-program.ts'
import { KOCHER_PATTERNS, programOf } from './kocher.ts'

describe.each(KOCHER_PATTERNS)('Kocher pattern $number: $title', (pattern) => {
  const kinds = (protection: 'plain' | 'masked' | 'fenced'): string[] =>
    speculateProgram(programOf(pattern, protection)).map(({ kind }) => kind)

  it('plain: a load leaves its array, and what it fetched can be observed', () => {
    const found = kinds('plain')
    expect(found).toContain('left-mapping')
    expect(found).toContain('secret-reached-address')
  })

  it('masked: nothing is found', () => expect(kinds('masked')).toEqual([]))
  it('fenced: nothing is found', () => expect(kinds('fenced')).toEqual([]))
})

describe('the patterns', () => {
  it('are fifteen, and 10 leaks by a branch too', () => {
    expect(KOCHER_PATTERNS.map(({ number }) => number)).toEqual(Array.from({ length: 15 }, (_, index) => index + 1))
    const tenth = speculateProgram(programOf(KOCHER_PATTERNS[9]!, 'plain'))
    expect(tenth.map(({ kind }) => kind)).toContain('secret-reached-branch')
  })

  it('show nothing where nothing is mispredicted: each check holds', () => {
    for (const pattern of KOCHER_PATTERNS)
      expect(speculateProgram(programOf(pattern, 'plain'), { depth: 0 }), pattern.title).toEqual([])
  })
})
