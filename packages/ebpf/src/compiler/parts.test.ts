import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runAtOnce } from '../give-way.ts'
import { encode, type Instruction, loadRawProgram } from '../index.ts'
import { findParts, PART_SLOTS, WHOLE_SLOTS } from './parts.ts'

const EXIT: Instruction = { kind: 'exit' }
const set = (destination: number, immediate: number): Instruction => ({
  kind: 'move',
  destination,
  source: -1,
  immediate,
  bits: 64,
  fromBits: 64,
})
const alu = (operation: 'add' | 'xor' | 'mul', destination: number, source: number, immediate = 0): Instruction => ({
  kind: 'alu',
  operation,
  bits: 64,
  destination,
  source,
  immediate,
})
const skipIf = (mask: number, target: number): Instruction => ({
  kind: 'jump',
  condition: 'set',
  bits: 64,
  destination: 6,
  source: -1,
  immediate: mask,
  target,
})

/** A long program that works on all registers, with a short jump in each hundred instructions, and no call. */
function long(slots: number, base: number): Instruction[] {
  const code: Instruction[] = []
  while (code.length < slots) {
    const at = base + code.length
    code.push(alu('add', 6, -1, at), alu('xor', 7, 6), alu('mul', 8, -1, 0x01000193), skipIf(1, at + 6))
    code.push(alu('add', 8, 7), alu('xor', 9, 8), alu('add', 0, 9))
    while (code.length % 100 !== 0) code.push(alu('add', 6, -1, code.length))
  }
  return code
}

describe('a long program', () => {
  test('is cut at the last place in reach that the fewest jumps lead across, in parts of at most a thousand slots', () => {
    const program = new Array(WHOLE_SLOTS + 1).fill(EXIT) as Instruction[]
    const whole = { start: 0, end: 3 * PART_SLOTS }
    const startsWith = (...edges: { from: number; to: number }[]) =>
      runAtOnce(findParts(program, whole, edges)).map(({ start }) => start)
    expect(startsWith()).toEqual([0, PART_SLOTS, 2 * PART_SLOTS])
    // A jump over that place, forward or back: the first place is before it.
    expect(startsWith({ from: PART_SLOTS - 100, to: PART_SLOTS + 10 })[1]).toBe(PART_SLOTS - 100)
    expect(startsWith({ from: PART_SLOTS + 10, to: PART_SLOTS - 100 })[1]).toBe(PART_SLOTS - 100)
    // A loop around everything is cut as if it were not there, and where a smaller one is not.
    const around = { from: whole.end - 2, to: 0 }
    expect(startsWith(around)).toEqual([0, PART_SLOTS, 2 * PART_SLOTS])
    expect(startsWith(around, { from: PART_SLOTS + 10, to: PART_SLOTS - 100 })[1]).toBe(PART_SLOTS - 100)
    expect(runAtOnce(findParts(program.slice(1), whole, []))).toEqual([whole])
  })

  test('has no part longer than that, whatever its jumps are', () => {
    const program = new Array(WHOLE_SLOTS + 1).fill(EXIT) as Instruction[]
    const slot = fc.integer({ min: 0, max: WHOLE_SLOTS - 1 })
    const property = fc.property(fc.array(fc.record({ from: slot, to: slot }), { maxLength: 300 }), (edges) => {
      const parts = runAtOnce(findParts(program, { start: 0, end: WHOLE_SLOTS }, edges))
      expect(parts.map(({ start }) => start)).toEqual([0, ...parts.slice(0, -1).map(({ end }) => end)])
      expect(parts.at(-1)!.end).toBe(WHOLE_SLOTS)
      for (const { start, end } of parts) {
        expect(end - start).toBeGreaterThan(0)
        expect(end - start).toBeLessThanOrEqual(PART_SLOTS)
      }
    })
    fc.assert(property, { numRuns: 20 })
  })

  test('does not have the second slot of a 64-bit immediate at the start of a part', () => {
    const program = new Array<Instruction | null>(WHOLE_SLOTS + 1).fill(EXIT)
    program[PART_SLOTS] = null
    expect(runAtOnce(findParts(program, { start: 0, end: 2 * PART_SLOTS }, []))[0]!.end).toBe(PART_SLOTS - 1)
  })

  test('gives what the interpreter gives, with registers, stack and calls across parts', async () => {
    const slots = WHOLE_SLOTS / 2 + 300
    const head = [...[0, 6, 7, 8, 9].map((register) => set(register, register + 1))]
    const body = long(slots, head.length)
    const store: Instruction = { kind: 'store', base: 10, offset: -8, bytes: 8, source: 0, immediate: 0 }
    const load: Instruction = { kind: 'load', destination: 1, base: 10, offset: -8, bytes: 8, signed: false }
    const callAt = head.length + body.length + 1
    const main = [
      ...head,
      ...body,
      store,
      { kind: 'call-local', target: callAt + 4 } as const,
      load,
      alu('add', 0, 1),
      EXIT,
    ]
    const inner = [...head, ...long(slots, main.length + head.length), EXIT]
    const code = encode([...main, ...inner])
    await expectSame(code)
  })

  test('whose loop is longer than a part gives the same: parts are come to at their start and in the middle', async () => {
    const head = [0, 6, 7, 8, 9].map((register) => set(register, register + 1))
    const rounds: Instruction = { kind: 'store', base: 10, offset: -8, bytes: 8, source: 3, immediate: 0 }
    const again: Instruction = { kind: 'load', destination: 3, base: 10, offset: -8, bytes: 8, signed: false }
    const begin = [...head, set(3, 3), rounds]
    const body = [again, ...long(WHOLE_SLOTS, begin.length + 1), alu('add', 3, -1, -1), rounds]
    // Every 700 slots a way out of a jump's reach: over a part, and into the middle of the next but one.
    for (let at = 150; at + 1500 < body.length; at += 700) body[at] = skipIf(1, begin.length + at + 1401)
    const end = begin.length + body.length
    const code = encode([
      ...begin,
      ...body,
      { kind: 'jump', condition: 'ne', bits: 64, destination: 3, source: -1, immediate: 0, target: begin.length },
      EXIT,
    ])
    expect(end).toBeGreaterThan(WHOLE_SLOTS)
    await expectSame(code)
  })

  test('gives the same where a part has more blocks than can be nested, which is a switch that the next part follows', async () => {
    const head = [0, 6, 7, 8, 9].map((register) => set(register, register + 1))
    const body: Instruction[] = []
    while (body.length < WHOLE_SLOTS) {
      const at = head.length + body.length
      body.push(skipIf(1 << (at % 7), at + 2), alu('add', 6, -1, 2 * at + 1))
    }
    await expectSame(encode([...head, ...body, alu('add', 0, 6), EXIT]))
  })
})

async function expectSame(code: Uint8Array): Promise<void> {
  const compiled = await loadRawProgram({ name: 'p', code }, { engine: 'compile' })
  const interpreted = await loadRawProgram({ name: 'p', code }, { engine: 'interpret' })
  expect(compiled.engine).toBe('compiled')
  for (let run = 0; run < 3; run++) expect(compiled.run()).toBe(interpreted.run())
  expect(compiled.run()).not.toBe(0n)
}
