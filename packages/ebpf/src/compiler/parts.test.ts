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
const skipIfEven = (target: number): Instruction => ({
  kind: 'jump',
  condition: 'set',
  bits: 64,
  destination: 6,
  source: -1,
  immediate: 1,
  target,
})

/** A long program that works on all registers, with a short jump in each hundred instructions, and no call. */
function long(slots: number, base: number): Instruction[] {
  const code: Instruction[] = []
  while (code.length < slots) {
    const at = base + code.length
    code.push(alu('add', 6, -1, at), alu('xor', 7, 6), alu('mul', 8, -1, 0x01000193), skipIfEven(at + 6))
    code.push(alu('add', 8, 7), alu('xor', 9, 8), alu('add', 0, 9))
    while (code.length % 100 !== 0) code.push(alu('add', 6, -1, code.length))
  }
  return code
}

describe('a long program', () => {
  test('is cut where no jump leads across, in parts of some thousand slots', () => {
    const program = new Array(WHOLE_SLOTS + 1).fill(EXIT) as Instruction[]
    const whole = { start: 0, end: 3 * PART_SLOTS }
    expect(runAtOnce(findParts(program, whole, []))).toEqual([
      { start: 0, end: PART_SLOTS },
      { start: PART_SLOTS, end: 2 * PART_SLOTS },
      { start: 2 * PART_SLOTS, end: 3 * PART_SLOTS },
    ])
    // A jump over the first place moves it to after its target.
    const over = [{ from: PART_SLOTS - 1, to: PART_SLOTS + 10 }]
    expect(runAtOnce(findParts(program, whole, over))[0]).toEqual({ start: 0, end: PART_SLOTS + 11 })
    // A loop around everything can't be cut.
    expect(runAtOnce(findParts(program, whole, [{ from: whole.end - 2, to: 0 }]))).toEqual([
      { start: 0, end: whole.end - 1 },
      { start: whole.end - 1, end: whole.end },
    ])
    expect(runAtOnce(findParts(program.slice(1), whole, []))).toEqual([whole])
  })

  test('does not have the second slot of a 64-bit immediate at the start of a part', () => {
    const program = new Array<Instruction | null>(WHOLE_SLOTS + 1).fill(EXIT)
    program[PART_SLOTS] = null
    expect(runAtOnce(findParts(program, { start: 0, end: 2 * PART_SLOTS }, []))[0]!.end).toBe(PART_SLOTS + 1)
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
    const compiled = await loadRawProgram({ name: 'p', code }, { engine: 'compile' })
    const interpreted = await loadRawProgram({ name: 'p', code }, { engine: 'interpret' })
    expect(compiled.engine).toBe('compiled')
    for (let run = 0; run < 3; run++) expect(compiled.run()).toBe(interpreted.run())
    expect(compiled.run()).not.toBe(0n)
  })
})
