import { SLOT_BYTES } from './decode.ts'
import { EbpfError } from './ebpf-error.ts'
import type { AluOperation, AtomicOperation, Condition, Instruction } from './instruction.ts'

// Opcode fields, RFC 9669 section 4.
const ALU_CODES: Readonly<Record<AluOperation, number>> = {
  add: 0x00,
  sub: 0x10,
  mul: 0x20,
  div: 0x30,
  sdiv: 0x30,
  or: 0x40,
  and: 0x50,
  lsh: 0x60,
  rsh: 0x70,
  mod: 0x90,
  smod: 0x90,
  xor: 0xa0,
  arsh: 0xc0,
}
const CONDITION_CODES: Readonly<Record<Condition, number>> = {
  eq: 0x10,
  gt: 0x20,
  ge: 0x30,
  set: 0x40,
  ne: 0x50,
  sgt: 0x60,
  sge: 0x70,
  lt: 0xa0,
  le: 0xb0,
  slt: 0xc0,
  sle: 0xd0,
}
const ATOMIC_CODES: Readonly<Record<AtomicOperation, number>> = {
  add: 0x00,
  or: 0x40,
  and: 0x50,
  xor: 0xa0,
  xchg: 0xe0,
  cmpxchg: 0xf0,
}
const SIZE_CODES = { 1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18 } as const

/** Fields of one slot. */
type Slot = readonly [opcode: number, destination: number, source: number, offset: number, immediate: number]

/**
 * Encodes instructions, the inverse of `decode`: for programs that are put together in code. Targets count slots; a
 * 64-bit immediate takes two.
 */
export function encode(instructions: readonly Instruction[]): Uint8Array {
  const slots: Slot[] = []
  for (const one of instructions) slots.push(...encodeOne(one, slots.length))
  const code = new Uint8Array(slots.length * SLOT_BYTES)
  const view = new DataView(code.buffer)
  slots.forEach(([opcode, destination, source, offset, immediate], index) => {
    const at = index * SLOT_BYTES
    view.setUint8(at, opcode)
    view.setUint8(at + 1, destination | (source << 4))
    view.setInt16(at + 2, offset, true)
    view.setInt32(at + 4, immediate, true)
  })
  return code
}

/** 1 in the source bit of the opcode, the register, and no immediate; or the immediate alone. */
function operand(one: { readonly source: number; readonly immediate: number }): {
  bit: number
  source: number
  immediate: number
} {
  if (one.source < 0) return { bit: 0, source: 0, immediate: one.immediate }
  return { bit: 0x08, source: one.source, immediate: 0 }
}

function encodeOne(one: Instruction, index: number): Slot[] {
  switch (one.kind) {
    case 'alu': {
      const { bit, source, immediate } = operand(one)
      const signed = one.operation === 'sdiv' || one.operation === 'smod' ? 1 : 0
      return [[ALU_CODES[one.operation] | bit | aluClass(one.bits), one.destination, source, signed, immediate]]
    }
    case 'move': {
      const { bit, source, immediate } = operand(one)
      const extends_ = one.fromBits < one.bits ? one.fromBits : 0
      return [[0xb0 | bit | aluClass(one.bits), one.destination, source, extends_, immediate]]
    }
    case 'negate':
      return [[0x80 | aluClass(one.bits), one.destination, 0, 0, 0]]
    case 'swap': {
      const opcode = one.order === 'swap' ? 0xd7 : one.order === 'be' ? 0xdc : 0xd4
      return [[opcode, one.destination, 0, 0, one.bits]]
    }
    case 'load-immediate':
      return wide(one.destination, 0, one.low, one.high)
    case 'load-map':
      return wide(one.destination, 1, one.map, 0)
    case 'load-map-value':
      return wide(one.destination, 2, one.map, one.offset)
    case 'load-function':
      return wide(one.destination, 4, one.target - index - 1, 0)
    case 'load':
      return [[(one.signed ? 0x81 : 0x61) | SIZE_CODES[one.bytes], one.destination, one.base, one.offset, 0]]
    case 'store': {
      const { source, immediate } = operand(one)
      return [[(one.source < 0 ? 0x62 : 0x63) | SIZE_CODES[one.bytes], one.base, source, one.offset, immediate]]
    }
    case 'atomic':
      return [
        [
          0xc3 | SIZE_CODES[one.bytes],
          one.base,
          one.source,
          one.offset,
          ATOMIC_CODES[one.operation] | (one.fetch ? 1 : 0),
        ],
      ]
    case 'jump': {
      const { bit, source, immediate } = operand(one)
      const opcode = CONDITION_CODES[one.condition] | bit | (one.bits === 64 ? 5 : 6)
      return [[opcode, one.destination, source, distance(index, one.target), immediate]]
    }
    case 'goto': {
      const far = one.target - index - 1
      return Math.abs(far) < 0x8000 ? [[0x05, 0, 0, far, 0]] : [[0x06, 0, 0, 0, far]]
    }
    case 'call':
      return [[0x85, 0, 0, 0, one.helper]]
    case 'call-local':
      return [[0x85, 0, 1, 0, one.target - index - 1]]
    case 'exit':
      return [[0x95, 0, 0, 0, 0]]
  }
}

function aluClass(bits: 32 | 64): number {
  return bits === 64 ? 7 : 4
}

function wide(destination: number, source: number, low: number, high: number): Slot[] {
  return [
    [0x18, destination, source, 0, low],
    [0, 0, 0, 0, high],
  ]
}

/** Slots from the end of an instruction to its target, as 16 bits hold them. */
function distance(index: number, target: number): number {
  const slots = target - index - 1
  if (slots < -0x8000 || slots > 0x7fff)
    throw new EbpfError(index, '', `jump of ${slots} slots; accepted: -32768 to 32767`)
  return slots
}
