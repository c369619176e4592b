import { PIECES_BETWEEN_YIELDS, runAtOnce } from '../give-way.ts'
import { EbpfError } from './ebpf-error.ts'
import type { AccessBytes, AluOperation, AtomicOperation, Condition, Instruction, Program } from './instruction.ts'
import { FRAME_POINTER } from './instruction.ts'

/** Bytes of one instruction slot. */
export const SLOT_BYTES = 8
/** The longest program, in slots. Source: Linux BPF_COMPLEXITY_LIMIT_INSNS, the limit for a privileged program. */
export const PROGRAM_SLOTS_MAX = 1_000_000

// Opcode fields, RFC 9669 section 4.
const CLASS_LD = 0
const CLASS_LDX = 1
const CLASS_ST = 2
const CLASS_STX = 3
const CLASS_ALU = 4
const CLASS_JMP = 5
const CLASS_JMP32 = 6
const CLASS_ALU64 = 7
const SOURCE_REGISTER = 0x08
const MODE_IMM = 0x00
const MODE_MEM = 0x60
const MODE_MEMSX = 0x80
const MODE_ATOMIC = 0xc0
const ALU_NEG = 0x80
const ALU_MOV = 0xb0
const ALU_END = 0xd0
const JMP_JA = 0x00
const JMP_CALL = 0x80
const JMP_EXIT = 0x90
const OPCODE_LD_IMM64 = 0x18
/** Sources of a 64-bit immediate: plain, map, value of a map (RFC 9669 section 5.4; Linux BPF_PSEUDO_MAP_FD, _VALUE). */
const PSEUDO_MAP = 1
const PSEUDO_MAP_VALUE = 2
/** A subprogram, by its distance (Linux BPF_PSEUDO_FUNC). */
const PSEUDO_FUNC = 4
/** Source field of a call: a subprogram (Linux BPF_PSEUDO_CALL). */
const PSEUDO_CALL = 1
/** A kernel function (Linux BPF_PSEUDO_KFUNC_CALL). */
const PSEUDO_KFUNC = 2
const ATOMIC_FETCH = 0x01

const SIZES: Readonly<Record<number, AccessBytes>> = { 0: 4, 8: 2, 16: 1, 24: 8 }
const ALU_OPERATIONS: Readonly<Record<number, AluOperation>> = {
  0: 'add',
  16: 'sub',
  32: 'mul',
  48: 'div',
  64: 'or',
  80: 'and',
  96: 'lsh',
  112: 'rsh',
  144: 'mod',
  160: 'xor',
  192: 'arsh',
}
const CONDITIONS: Readonly<Record<number, Condition>> = {
  16: 'eq',
  32: 'gt',
  48: 'ge',
  64: 'set',
  80: 'ne',
  96: 'sgt',
  112: 'sge',
  160: 'lt',
  176: 'le',
  192: 'slt',
  208: 'sle',
}
const ATOMIC_OPERATIONS: Readonly<Record<number, AtomicOperation>> = {
  0: 'add',
  64: 'or',
  80: 'and',
  160: 'xor',
  225: 'xchg',
  241: 'cmpxchg',
}

/** One slot as it is stored: opcode, two register nibbles, a signed 16-bit offset, a signed 32-bit immediate. */
interface Slot {
  readonly index: number
  readonly opcode: number
  readonly destination: number
  readonly source: number
  readonly offset: number
  readonly immediate: number
}

/**
 * Decodes little-endian instructions. Every reserved field must be zero, every register must exist, every jump must land
 * on an instruction of the program.
 *
 * @param code whole slots of 8 bytes
 * @param mapCount maps that 64-bit immediates may name by index
 * @throws EbpfError naming the first instruction that is malformed
 */
export function decode(code: Uint8Array, mapCount = 0): Program {
  return runAtOnce(decodeSteps(code, mapCount))
}

/** {@link decode} in steps: a program may have a million instructions. */
export function* decodeSteps(code: Uint8Array, mapCount: number): Generator<void, Program> {
  const slots = code.length / SLOT_BYTES
  if (!Number.isInteger(slots) || slots === 0 || slots > PROGRAM_SLOTS_MAX)
    throw new EbpfError(
      -1,
      '',
      `program has ${code.length} bytes; accepted: 1 to ${PROGRAM_SLOTS_MAX} slots of 8 bytes`,
    )
  // A copy: shared memory may change between two reads.
  const view = new DataView(new Uint8Array(code).buffer)
  const program: (Instruction | null)[] = []
  for (let index = 0; index < slots; index++) {
    if (index % PIECES_BETWEEN_YIELDS === 0) yield
    const slot = readSlot(view, index)
    if (slot.opcode === OPCODE_LD_IMM64) {
      program.push(decodeWideImmediate(slot, index + 1 < slots ? readSlot(view, index + 1) : null, mapCount), null)
      index++
    } else program.push(decodeSlot(slot))
  }
  yield* checkTargets(program)
  return program
}

function readSlot(view: DataView, index: number): Slot {
  const at = index * SLOT_BYTES
  const registers = view.getUint8(at + 1)
  return {
    index,
    opcode: view.getUint8(at),
    destination: registers & 0xf,
    source: registers >> 4,
    offset: view.getInt16(at + 2, true),
    immediate: view.getInt32(at + 4, true),
  }
}

function malformed(slot: Slot, reason: string): EbpfError {
  return new EbpfError(slot.index, `opcode 0x${slot.opcode.toString(16).padStart(2, '0')}`, reason)
}

/** Refuses registers that do not exist, and writes to the frame pointer. */
function register(slot: Slot, number: number, writes: boolean): number {
  if (number > FRAME_POINTER) throw malformed(slot, `register r${number} does not exist; accepted: r0 to r10`)
  if (writes && number === FRAME_POINTER) throw malformed(slot, 'frame pointer r10 is read-only')
  return number
}

function reserved(slot: Slot, ...fields: ('destination' | 'source' | 'offset' | 'immediate')[]): void {
  for (const field of fields)
    if (slot[field] !== 0) throw malformed(slot, `reserved field ${field} is ${slot[field]}; accepted: 0`)
}

function decodeSlot(slot: Slot): Instruction {
  switch (slot.opcode & 7) {
    case CLASS_ALU:
      return decodeAlu(slot, 32)
    case CLASS_ALU64:
      return decodeAlu(slot, 64)
    case CLASS_JMP:
      return decodeJump(slot, 64)
    case CLASS_JMP32:
      return decodeJump(slot, 32)
    case CLASS_LDX:
      return decodeLoad(slot)
    case CLASS_ST:
    case CLASS_STX:
      return decodeStore(slot)
    case CLASS_LD:
      throw malformed(slot, 'legacy packet access (ld_abs, ld_ind) is not supported')
    default:
      throw malformed(slot, 'unknown opcode')
  }
}

/** The second operand of arithmetic and jumps: a register, or the immediate. */
function operand(slot: Slot): { source: number; immediate: number } {
  if ((slot.opcode & SOURCE_REGISTER) === 0) {
    reserved(slot, 'source')
    return { source: -1, immediate: slot.immediate }
  }
  reserved(slot, 'immediate')
  return { source: register(slot, slot.source, false), immediate: 0 }
}

function decodeAlu(slot: Slot, bits: 32 | 64): Instruction {
  const code = slot.opcode & 0xf0
  const destination = register(slot, slot.destination, true)
  if (code === ALU_NEG) {
    if ((slot.opcode & SOURCE_REGISTER) !== 0) throw malformed(slot, 'unknown opcode')
    reserved(slot, 'source', 'offset', 'immediate')
    return { kind: 'negate', destination, bits }
  }
  if (code === ALU_END) return decodeSwap(slot, destination, bits)
  if (code === ALU_MOV) return decodeMove(slot, destination, bits)
  const plain = ALU_OPERATIONS[code]
  if (plain === undefined) throw malformed(slot, 'unknown opcode')
  const signed = slot.offset === 1 && (plain === 'div' || plain === 'mod')
  if (!signed) reserved(slot, 'offset')
  const operation: AluOperation = signed ? (plain === 'div' ? 'sdiv' : 'smod') : plain
  const { source, immediate } = operand(slot)
  if (source < 0) {
    const shifts = operation === 'lsh' || operation === 'rsh' || operation === 'arsh'
    if (shifts && (immediate < 0 || immediate >= bits))
      throw malformed(slot, `shift by ${immediate}; accepted: 0 to ${bits - 1}`)
    const divides = plain === 'div' || plain === 'mod'
    if (divides && immediate === 0) throw malformed(slot, 'division by the immediate zero')
  }
  return { kind: 'alu', operation, bits, destination, source, immediate }
}

function decodeSwap(slot: Slot, destination: number, bits: 32 | 64): Instruction {
  reserved(slot, 'source', 'offset')
  const toBigEndian = (slot.opcode & SOURCE_REGISTER) !== 0
  if (bits === 64 && toBigEndian) throw malformed(slot, 'unknown opcode')
  const order = bits === 64 ? 'swap' : toBigEndian ? 'be' : 'le'
  const width = slot.immediate
  if (width !== 16 && width !== 32 && width !== 64)
    throw malformed(slot, `byte swap of ${width} bits; accepted: 16, 32, 64`)
  return { kind: 'swap', destination, order, bits: width }
}

function decodeMove(slot: Slot, destination: number, bits: 32 | 64): Instruction {
  const { source, immediate } = operand(slot)
  const from = slot.offset
  if (from === 0) return { kind: 'move', destination, source, immediate, bits, fromBits: bits }
  if (source < 0 || !(from === 8 || from === 16 || (from === 32 && bits === 64)))
    throw malformed(slot, `sign extension from ${from} bits; accepted: 8, 16, and 32 in 64-bit moves of a register`)
  return { kind: 'move', destination, source, immediate, bits, fromBits: from }
}

function decodeJump(slot: Slot, bits: 32 | 64): Instruction {
  const code = slot.opcode & 0xf0
  if (slot.opcode === OPCODE_MAY_GOTO) throw malformed(slot, 'may_goto is not supported')
  if (slot.opcode === OPCODE_CALLX) throw malformed(slot, 'callx, a call through a register, is not supported')
  if (code === JMP_JA || code === JMP_CALL || code === JMP_EXIT) return decodeTransfer(slot, code, bits)
  const condition = CONDITIONS[code]
  if (condition === undefined) throw malformed(slot, 'unknown opcode')
  const destination = register(slot, slot.destination, false)
  return { kind: 'jump', condition, bits, destination, ...operand(slot), target: slot.index + 1 + slot.offset }
}

/**
 * Instructions of later kernels, by opcode: they are refused by their names. Source: Linux 6.18
 * include/uapi/linux/bpf.h.
 */
const OPCODE_CALLX = 0x8d
const OPCODE_MAY_GOTO = 0xe5
const ATOMIC_LOAD_ACQUIRE = 0x100
const ATOMIC_STORE_RELEASE = 0x110

/** goto, gotol (32-bit class: the immediate is the distance), call and exit. */
function decodeTransfer(slot: Slot, code: number, bits: 32 | 64): Instruction {
  if ((slot.opcode & SOURCE_REGISTER) !== 0) throw malformed(slot, 'unknown opcode')
  if (code === JMP_JA) {
    reserved(slot, 'destination', 'source', bits === 64 ? 'immediate' : 'offset')
    return { kind: 'goto', target: slot.index + 1 + (bits === 64 ? slot.offset : slot.immediate) }
  }
  if (bits === 32) throw malformed(slot, 'unknown opcode')
  if (code === JMP_EXIT) {
    reserved(slot, 'destination', 'source', 'offset', 'immediate')
    return { kind: 'exit' }
  }
  reserved(slot, 'destination', 'offset')
  if (slot.source === 0) return { kind: 'call', helper: slot.immediate }
  if (slot.source === PSEUDO_CALL) return { kind: 'call-local', target: slot.index + 1 + slot.immediate }
  if (slot.source === PSEUDO_KFUNC) throw malformed(slot, `kernel function ${slot.immediate} is not supported`)
  throw malformed(slot, `call of kind ${slot.source}; accepted: a helper (0) or a subprogram (1)`)
}

function decodeLoad(slot: Slot): Instruction {
  reserved(slot, 'immediate')
  const bytes = SIZES[slot.opcode & 0x18]!
  const mode = slot.opcode & 0xe0
  const signed = mode === MODE_MEMSX
  if (mode !== MODE_MEM && !(signed && bytes < 8)) throw malformed(slot, 'unknown opcode')
  const destination = register(slot, slot.destination, true)
  return { kind: 'load', destination, base: register(slot, slot.source, false), offset: slot.offset, bytes, signed }
}

function decodeStore(slot: Slot): Instruction {
  const bytes = SIZES[slot.opcode & 0x18]!
  const mode = slot.opcode & 0xe0
  const base = register(slot, slot.destination, false)
  const fromRegister = (slot.opcode & 7) === CLASS_STX
  if (mode === MODE_ATOMIC && fromRegister) return decodeAtomic(slot, base, bytes)
  if (mode !== MODE_MEM) throw malformed(slot, 'unknown opcode')
  reserved(slot, fromRegister ? 'immediate' : 'source')
  const source = fromRegister ? register(slot, slot.source, false) : -1
  return { kind: 'store', base, offset: slot.offset, bytes, source, immediate: fromRegister ? 0 : slot.immediate }
}

function decodeAtomic(slot: Slot, base: number, bytes: AccessBytes): Instruction {
  if (slot.immediate === ATOMIC_LOAD_ACQUIRE) throw malformed(slot, 'load-acquire is not supported')
  if (slot.immediate === ATOMIC_STORE_RELEASE) throw malformed(slot, 'store-release is not supported')
  if (bytes !== 4 && bytes !== 8) throw malformed(slot, `atomic access of ${bytes} bytes; accepted: 4, 8`)
  const code = slot.immediate
  const fetch = (code & ATOMIC_FETCH) !== 0
  const operation = ATOMIC_OPERATIONS[code] ?? ATOMIC_OPERATIONS[code & ~ATOMIC_FETCH]
  if (operation === undefined) throw malformed(slot, `unknown atomic operation 0x${(code >>> 0).toString(16)}`)
  const source = register(slot, slot.source, fetch && operation !== 'cmpxchg')
  return { kind: 'atomic', operation, fetch, base, offset: slot.offset, bytes, source }
}

function decodeWideImmediate(slot: Slot, second: Slot | null, mapCount: number): Instruction {
  const destination = register(slot, slot.destination, true)
  reserved(slot, 'offset')
  if (second === null) throw malformed(slot, 'second half of a 64-bit immediate is missing')
  if (second.opcode !== MODE_IMM) throw malformed(second, 'second half of a 64-bit immediate has an opcode')
  reserved(second, 'destination', 'source', 'offset')
  if (slot.source === 0) return { kind: 'load-immediate', destination, low: slot.immediate, high: second.immediate }
  if (slot.source === PSEUDO_FUNC) {
    reserved(second, 'immediate')
    return { kind: 'load-function', destination, target: slot.index + 1 + slot.immediate }
  }
  if (slot.source !== PSEUDO_MAP && slot.source !== PSEUDO_MAP_VALUE)
    throw malformed(
      slot,
      `64-bit immediate of kind ${slot.source}; accepted: plain (0), map (1), value of a map (2), function (4)`,
    )
  const map = slot.immediate
  if (map < 0 || map >= mapCount) throw malformed(slot, `map ${map} is not one of the program's ${mapCount} maps`)
  if (slot.source === PSEUDO_MAP_VALUE) return { kind: 'load-map-value', destination, map, offset: second.immediate }
  reserved(second, 'immediate')
  return { kind: 'load-map', destination, map }
}

function* checkTargets(program: Program): Generator<void, void> {
  for (const [index, instruction] of program.entries()) {
    if (index % PIECES_BETWEEN_YIELDS === 0) yield
    if (instruction === null || !('target' in instruction)) continue
    const { target } = instruction
    if (!(target >= 0 && target < program.length))
      throw new EbpfError(
        index,
        instruction.kind,
        `target ${target} is outside of the program's ${program.length} slots`,
      )
    if (program[target] === null)
      throw new EbpfError(index, instruction.kind, `target ${target} is the second half of a 64-bit immediate`)
  }
}
