import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatLitmus,
  hasOutcome,
  LITMUS_TESTS,
  type LitmusProgram,
  type LitmusStep,
  litmusOutcomes,
  MEMORY_MODELS,
  parseLitmus,
} from '../src/index.ts'
import { axiomaticOutcomes } from './axiomatic.ts'

describe.each(LITMUS_TESTS)('litmus test $name', ({ program: text, asked, tso, lkmm, difference }) => {
  const program = parseLitmus(text)
  const allowed = (model: 'sc' | 'tso' | 'weak'): boolean => hasOutcome(litmusOutcomes(program, model), asked)

  it('asks for what sequential consistency forbids', () => expect(allowed('sc')).toBe(false))

  it(`tso ${tso ? 'allows' : 'forbids'} it, as x86 does`, () => expect(allowed('tso')).toBe(tso))

  if (difference === null)
    it(`weak ${lkmm ? 'allows' : 'forbids'} it, as the Linux memory model does`, () =>
      expect(allowed('weak')).toBe(lkmm))
  else
    it(`weak ${lkmm ? 'forbids' : 'allows'} it, the Linux memory model does not; ${difference}`, () =>
      expect(allowed('weak')).toBe(!lkmm))

  it('has the outcomes that the axioms of each model give', () => {
    for (const model of MEMORY_MODELS)
      expect(litmusOutcomes(program, model), model).toEqual(axiomaticOutcomes(program, model))
  })
})

/** Programs of two or three threads over two variables; every store has a value of its own. */
const randomProgram: fc.Arbitrary<LitmusProgram> = fc
  .array(
    fc.array(
      fc.record({
        kind: fc.constantFrom('store', 'store', 'store', 'load', 'load', 'load', 'mb', 'rmb', 'wmb'),
        variable: fc.constantFrom('x', 'y'),
        ordered: fc.boolean(),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    { minLength: 2, maxLength: 3 },
  )
  .map((threads) => {
    let stores = 0
    let loads = 0
    return threads.map((steps) =>
      steps.map(({ kind, variable, ordered }): LitmusStep => {
        if (kind === 'store') return { kind, variable, value: ++stores, release: ordered }
        if (kind === 'load') return { kind, variable, register: `r${loads++}`, acquire: ordered }
        return { kind: kind as 'mb' | 'rmb' | 'wmb' }
      }),
    )
  })
  .filter((threads) => {
    const accesses = threads.flat().filter((step) => 'variable' in step)
    const stores = accesses.filter(({ kind }) => kind === 'store').length
    return accesses.length > 0 && accesses.length <= 8 && stores <= 5
  })

describe('random programs', () => {
  it.each(MEMORY_MODELS)('end under %s as the axioms of the model say, and in no other way', (model) => {
    fc.assert(
      fc.property(randomProgram, (program) => {
        expect(litmusOutcomes(program, model)).toEqual(axiomaticOutcomes(program, model))
      }),
      { numRuns: 500, seed: 1 },
    )
  })
})

describe('parseLitmus', () => {
  it('reads what formatLitmus writes', () => {
    for (const { program } of LITMUS_TESTS) expect(formatLitmus(parseLitmus(program))).toBe(program)
  })

  it.each(['', 'x', 'x=y', 'r0=1', 'r0=release x', 'x=acquire 1', 'fence', 'x=1;'])('refuses %j', (text) => {
    expect(() => parseLitmus(text)).toThrow('is no step of a litmus test')
  })
})
