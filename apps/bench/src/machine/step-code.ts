/**
 * Steps of metadata access as x86-64 machine code, to be timed. Each is a loop over one link of a chain of loads, in
 * which every address depends on the value before it. There avail.ring gives a head, the head gives a descriptor's
 * address, the descriptor a buffer's. A step stands in that chain between a value and the load that uses it, as in the
 * kernel.
 *
 * Function of (rdi: turns of the loop, rsi: address of zeroed memory). rax: value and address of the chain, always 0.
 *
 * ```
 *        xor eax, eax; mov rdx, limit; mov r9d, 1
 *   top: { step; mov rax, [rsi + rax] } x LINKS
 *        dec rdi; jnz top
 *   out: ret
 * ```
 */

/** Links of a turn: the loop's own two instructions are a few percent of them. */
export const LINKS = 16

/** Steps that are timed. */
export type TimedStep = 'load' | 'store' | 'limitCheck' | 'mask' | 'lfence' | 'lock' | 'fullBarrier'

/** `jae out`: its target is put in when the loop's length is known. */
const JUMP_OUT = [0x0f, 0x83, 0, 0, 0, 0] as const
/** cmp rax, rdx; jae out. The form of every check of the user's limit; never taken, always predicted. */
const CHECK = [0x48, 0x39, 0xd0, ...JUMP_OUT] as const
/** mov rax, [rsi + rax] */
const LOAD = [0x48, 0x8b, 0x04, 0x06] as const
const LFENCE = [0x0f, 0xae, 0xe8] as const

/** A step, what it is added to, and what says so in the kernel. */
export interface StepCode {
  readonly step: TimedStep
  /** Links without the step, and with it: the difference is what is reported. */
  readonly without: readonly number[]
  readonly with: readonly number[]
  readonly description: string
}

/** Every step that user mode can run. */
export const STEP_CODE: readonly StepCode[] = [
  { step: 'load', without: [], with: LOAD, description: 'a dependent load that hits the first cache' },
  {
    step: 'store',
    without: LOAD,
    // mov [rsi + 8], rax
    with: [0x48, 0x89, 0x46, 0x08, ...LOAD],
    description: 'a store to the first cache, nothing waits for it',
  },
  {
    step: 'limitCheck',
    without: LOAD,
    with: [...CHECK, ...LOAD],
    description: 'cmp, jae: the check of a user address, predicted',
  },
  {
    step: 'mask',
    without: [...CHECK, ...LOAD],
    // sbb r8, r8; and rax, r8
    with: [...CHECK, 0x4d, 0x19, 0xc0, 0x4c, 0x21, 0xc0, ...LOAD],
    description: 'sbb, and: array_index_mask_nospec of get_user, after its check',
  },
  {
    step: 'lfence',
    without: LOAD,
    with: [...LFENCE, ...LOAD],
    description: 'barrier_nospec of __uaccess_begin_nospec: waits for the load before it',
  },
  {
    step: 'lock',
    without: LOAD,
    // lock cmpxchg [rsi + 64], r9d; mov byte [rsi + 64], 0
    with: [0xf0, 0x44, 0x0f, 0xb1, 0x4e, 0x40, 0xc6, 0x46, 0x40, 0x00, ...LOAD],
    description: 'lock cmpxchg and a store: a spinlock without contention, taken and released',
  },
  {
    step: 'fullBarrier',
    without: LOAD,
    // lock add dword [rsi + 128], 0
    with: [0xf0, 0x83, 0x86, 0x80, 0x00, 0x00, 0x00, 0x00, ...LOAD],
    description: 'lock add: smp_mb, once a batch',
  },
]

/** xor eax, eax; mov rdx, 0x7ffffffff000 (TASK_SIZE_MAX); mov r9d, 1 */
const PROLOGUE = [
  ...[0x31, 0xc0],
  ...[0x48, 0xba, 0x00, 0xf0, 0xff, 0xff, 0xff, 0x7f, 0x00, 0x00],
  ...[0x41, 0xb9, 0x01, 0x00, 0x00, 0x00],
]
/** Additions of {@link CYCLES_LINK}. */
export const CYCLES_A_LINK = 16
/**
 * add rax, r9: a cycle each, as each waits for the one before; what tells the clock that the core runs at. Not `add rax, 0`,
 * which processors of today do away with when they rename registers.
 */
export const CYCLES_LINK: readonly number[] = Array.from({ length: CYCLES_A_LINK }, () => [0x4c, 0x01, 0xc8]).flat()

/** The loop over {@link LINKS} copies of `link`. */
export function assembleLoop(link: readonly number[]): Uint8Array {
  const body = Array.from({ length: LINKS }, () => link).flat()
  const top = PROLOGUE.length
  const code = [...PROLOGUE, ...body]
  // dec rdi; jnz top
  code.push(0x48, 0xff, 0xcf, 0x0f, 0x85, ...int32(top - (code.length + 9)))
  const out = code.length
  code.push(0xc3)
  const jump = link.findIndex((byte, index) => byte === JUMP_OUT[0] && link[index + 1] === JUMP_OUT[1])
  if (jump >= 0)
    for (let copy = 0; copy < LINKS; copy++) {
      const after = top + copy * link.length + jump + JUMP_OUT.length
      code.splice(after - 4, 4, ...int32(out - after))
    }
  return Uint8Array.from(code)
}

function int32(value: number): number[] {
  return [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255]
}
