import { describe, expect, test } from 'vitest'
import { encode, type Instruction } from './index.ts'
import { loadSteps } from './load-program.ts'
import { rawType } from './raw-program.ts'

const SLOTS = 20_000

const set: Instruction = { kind: 'move', destination: 0, source: -1, immediate: 0, bits: 64, fromBits: 64 }
const add: Instruction = { kind: 'alu', operation: 'add', bits: 64, destination: 0, source: -1, immediate: 1 }

describe('loading gives way', () => {
  test('in decoding, control flow, liveness, verification and code generation of a long program', () => {
    const code = encode([set, ...new Array<Instruction>(SLOTS - 2).fill(add), { kind: 'exit' }])
    const work = loadSteps(rawType(0), { name: 'p', code }, {})
    let steps = 0
    while (!work.next().done) steps++
    // Verification: every 256 instructions. A dozen walks over all slots: every 1024.
    expect(steps).toBeGreaterThan(SLOTS / 256 + (12 * SLOTS) / 1024 - 13)
  })

  test('while a loop is followed: it would be refused at the limit of a million instructions, 3906 steps on', () => {
    const code = encode([
      set,
      add,
      { kind: 'jump', condition: 'lt', bits: 64, destination: 0, source: -1, immediate: 0x7fff_ffff, target: 1 },
      { kind: 'exit' },
    ])
    const work = loadSteps(rawType(0), { name: 'p', code }, {})
    for (let step = 0; step < 300; step++) expect(work.next().done).toBe(false)
  })
})
