import type { ProgramMachine, SpeculativeProgram } from '../speculate-program.ts'

/** How a pattern is protected: not at all, by a data dependency on the bound, or by a fence after each check. */
export const PROTECTIONS = ['plain', 'masked', 'fenced'] as const
export type Protection = (typeof PROTECTIONS)[number]

/** A victim of Spectre v1. */
export interface SpectrePattern {
  /** As the list numbers it: 1 to 15. */
  readonly number: number
  /** What is particular about it. */
  readonly title: string
  victim(victim: Victim): void
}

const SIZE = 16
const PROBE_STEP = 512
/** What the attacker gives: out of bounds, so that every check refuses it. */
const ATTACK = 40
/** One byte of the secrets that the checker tries: an attacker guesses, and repeats the guess. */
const GUESS = 0

/** What the victims share: a table of 16 bytes, a table to be probed, an index that the attacker gives. */
class Victim {
  readonly #machine: ProgramMachine
  readonly #protection: Protection
  readonly x = ATTACK
  readonly size = SIZE

  constructor(machine: ProgramMachine, protection: Protection) {
    this.#machine = machine
    this.#protection = protection
  }

  /** A conditional branch. */
  if(condition: boolean): boolean {
    const taken = this.#machine.cpu.predict(condition)
    if (taken && this.#protection === 'fenced') this.#machine.cpu.lfence()
    return taken
  }

  /** array1[index] */
  array1(index: number): number {
    const { cpu } = this.#machine
    return this.#machine.load8('array1', this.#protection === 'masked' ? cpu.mask(index, SIZE) : index)
  }

  /** Touches the line of array2 that a byte selects. */
  touch(byte: number): void {
    this.#machine.load8('array2', PROBE_STEP * byte)
  }

  /** A variable in memory. */
  variable(name: 'x' | 'safe'): number {
    return this.#machine.load8(name, 0)
  }
}

/**
 * The fifteen victims that P. Kocher published in 2018 (Spectre Mitigations in Microsoft's C/C++ Compiler) to show which of
 * them a compiler finds. Told here by what each does; 1, 2, 3 and 13 differ in what a compiler inlines, which a checker of
 * paths does not see.
 */
export const KOCHER_PATTERNS: readonly SpectrePattern[] = [
  pattern(1, 'a bounds check', (v) => {
    if (v.if(v.x < v.size)) v.touch(v.array1(v.x))
  }),
  pattern(2, 'the leak is in a function that is inlined', (v) => {
    if (v.if(v.x < v.size)) leak(v, v.array1(v.x))
  }),
  pattern(3, 'the leak is in a function that is not', (v) => {
    if (v.if(v.x < v.size)) leak(v, v.array1(v.x))
  }),
  pattern(4, 'the index is shifted after the check', (v) => {
    if (v.if(v.x < v.size)) v.touch(v.array1(v.x << 1))
  }),
  pattern(5, 'the index counts down in a loop', (v) => {
    if (v.if(v.x < v.size)) for (let i = v.x - 1; v.if(i >= 0); i--) v.touch(v.array1(i))
  }),
  pattern(6, 'the check is a mask that is compared', (v) => {
    if (v.if((v.x & (v.size - 1)) === v.x)) v.touch(v.array1(v.x))
  }),
  pattern(7, 'the check is against the last index that was good', (v) => {
    const lastGood: number = 3
    if (v.if(v.x === lastGood)) v.touch(v.array1(v.x))
  }),
  pattern(8, 'the check is a conditional expression', (v) => {
    v.touch(v.array1(v.if(v.x < v.size) ? v.x + 1 : 0))
  }),
  pattern(9, 'the check is a flag in memory', (v) => {
    if (v.if(v.variable('safe') !== 0)) v.touch(v.array1(v.x))
  }),
  pattern(10, 'a comparison leaks, not the value', (v) => {
    if (v.if(v.x < v.size) && v.if(v.array1(v.x) === GUESS)) v.touch(0)
  }),
  pattern(11, 'the leak is in a comparison of memory', (v) => {
    if (v.if(v.x < v.size)) compareMemory(v, v.array1(v.x))
  }),
  pattern(12, 'the index is a sum of two inputs', (v) => {
    const y = 3
    if (v.if(v.x + y < v.size)) v.touch(v.array1(v.x + y))
  }),
  pattern(13, 'the check is in a function', (v) => {
    if (v.if(isSafe(v))) v.touch(v.array1(v.x))
  }),
  pattern(14, 'bits of the index are inverted after the check', (v) => {
    if (v.if(v.x < v.size)) v.touch(v.array1(v.x ^ 255))
  }),
  pattern(15, 'the index is read through a pointer', (v) => {
    if (v.if(v.variable('x') < v.size)) v.touch(v.array1(v.variable('x')))
  }),
]

/** A pattern as a program, under one protection. */
export function programOf({ number, victim }: SpectrePattern, protection: Protection): SpeculativeProgram {
  return {
    name: `pattern ${number}, ${protection}`,
    objects: {
      array1: { bytes: SIZE, content: Array.from({ length: SIZE }, (_, index) => index) },
      array2: { bytes: 256 * PROBE_STEP },
      x: { bytes: 2, content: [ATTACK] },
      safe: { bytes: 2 },
    },
    run: (machine) => victim(new Victim(machine, protection)),
  }
}

function pattern(number: number, title: string, victim: (victim: Victim) => void): SpectrePattern {
  return { number, title, victim }
}

function leak(victim: Victim, byte: number): void {
  victim.touch(byte)
}

/** memcmp of one byte. */
function compareMemory(victim: Victim, byte: number): void {
  victim.touch(byte)
}

function isSafe({ x, size }: Victim): boolean {
  return x < size
}
