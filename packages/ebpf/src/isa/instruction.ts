/**
 * eBPF instructions, decoded: what the verifier, the interpreter and the compiler work on. One entry per 8-byte slot, so
 * that jump offsets stay what they are; the second slot of a 64-bit immediate is `null`.
 * Source: RFC 9669, BPF Instruction Set Architecture.
 */
export type Program = readonly (Instruction | null)[]

export type AluOperation =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'sdiv'
  | 'or'
  | 'and'
  | 'lsh'
  | 'rsh'
  | 'mod'
  | 'smod'
  | 'xor'
  | 'arsh'
export type Condition = 'eq' | 'gt' | 'ge' | 'set' | 'ne' | 'sgt' | 'sge' | 'lt' | 'le' | 'slt' | 'sle'
export type AtomicOperation = 'add' | 'or' | 'and' | 'xor' | 'xchg' | 'cmpxchg'
/** Bytes that a memory access touches. */
export type AccessBytes = 1 | 2 | 4 | 8

/** The second operand: a register, or with `source` -1 the immediate, sign-extended to the operation's width. */
interface Operand {
  readonly source: number
  readonly immediate: number
}

interface Destination {
  readonly destination: number
}

/** A memory operand: `*(bytes *)(base + offset)`. */
interface MemoryOperand {
  readonly base: number
  readonly offset: number
  readonly bytes: AccessBytes
}

/** dst = dst op operand; a 32-bit operation takes low halves and clears the high half of dst. */
export interface AluInstruction extends Destination, Operand {
  readonly kind: 'alu'
  readonly operation: AluOperation
  readonly bits: 32 | 64
}

/** dst = operand, of which `fromBits` are taken and sign-extended if that is less than `bits`. */
export interface MoveInstruction extends Destination, Operand {
  readonly kind: 'move'
  readonly bits: 32 | 64
  readonly fromBits: 8 | 16 | 32 | 64
}

/** dst = -dst */
export interface NegateInstruction extends Destination {
  readonly kind: 'negate'
  readonly bits: 32 | 64
}

/** dst = its low `bits`, in the order `le`, `be`, or swapped in any case; zero-extended. The host is little-endian. */
export interface SwapInstruction extends Destination {
  readonly kind: 'swap'
  readonly order: 'le' | 'be' | 'swap'
  readonly bits: 16 | 32 | 64
}

/** dst = a 64-bit immediate. */
export interface LoadImmediateInstruction extends Destination {
  readonly kind: 'load-immediate'
  readonly low: number
  readonly high: number
}

/** dst = the map itself, as helpers take it. */
export interface LoadMapInstruction extends Destination {
  readonly kind: 'load-map'
  /** Index into the program's maps. */
  readonly map: number
}

/** dst = address of byte `offset` of the first value of an array map: how compilers reach global variables. */
export interface LoadMapValueInstruction extends Destination {
  readonly kind: 'load-map-value'
  readonly map: number
  readonly offset: number
}

/** dst = the address of a subprogram, for helpers that call it. */
export interface LoadFunctionInstruction extends Destination {
  readonly kind: 'load-function'
  /** Its first slot. */
  readonly target: number
}

export interface LoadInstruction extends Destination, MemoryOperand {
  readonly kind: 'load'
  readonly signed: boolean
}

export interface StoreInstruction extends MemoryOperand, Operand {
  readonly kind: 'store'
}

/** Read, modify, write. `fetch` puts the old value into the source register; cmpxchg compares with and fetches to r0. */
export interface AtomicInstruction extends MemoryOperand {
  readonly kind: 'atomic'
  readonly operation: AtomicOperation
  readonly fetch: boolean
  readonly source: number
  readonly bytes: 4 | 8
}

export interface JumpInstruction extends Destination, Operand {
  readonly kind: 'jump'
  readonly condition: Condition
  readonly bits: 32 | 64
  /** Slot that is next if the condition holds. */
  readonly target: number
}

export interface GotoInstruction {
  readonly kind: 'goto'
  readonly target: number
}

/** r0 = helper(r1 .. r5); r1 to r5 are lost. */
export interface CallInstruction {
  readonly kind: 'call'
  readonly helper: number
}

/** r0 = subprogram(r1 .. r5) with a stack frame of its own; r6 to r9 are kept. */
export interface CallLocalInstruction {
  readonly kind: 'call-local'
  readonly target: number
}

export interface ExitInstruction {
  readonly kind: 'exit'
}

export type Instruction =
  | AluInstruction
  | MoveInstruction
  | NegateInstruction
  | SwapInstruction
  | LoadImmediateInstruction
  | LoadMapInstruction
  | LoadMapValueInstruction
  | LoadFunctionInstruction
  | LoadInstruction
  | StoreInstruction
  | AtomicInstruction
  | JumpInstruction
  | GotoInstruction
  | CallInstruction
  | CallLocalInstruction
  | ExitInstruction

/** The read-only frame pointer: end of the stack frame. */
export const FRAME_POINTER = 10
/** Registers r0 .. r10. */
export const REGISTER_COUNT = 11
/** Bytes of stack of one frame. Linux (MAX_BPF_STACK) allows as many to all frames of a call chain together. */
export const STACK_BYTES = 512
/** Functions of one program, itself included. Source: Linux BPF_MAX_SUBPROGS. */
export const SUBPROGRAMS_MAX = 256
/** Frames that may be active at once. Source: Linux MAX_CALL_FRAMES. */
export const CALL_FRAMES_MAX = 8

/** Slot after the instruction at `index`. */
export function nextSlot(program: Program, index: number): number {
  return program[index + 1] === null ? index + 2 : index + 1
}
