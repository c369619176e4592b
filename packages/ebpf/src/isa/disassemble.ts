import type { AccessBytes, AluOperation, AtomicOperation, Condition, Instruction } from './instruction.ts'

const ALU_SYMBOLS: Readonly<Record<AluOperation, string>> = {
  add: '+=',
  sub: '-=',
  mul: '*=',
  div: '/=',
  sdiv: 's/=',
  or: '|=',
  and: '&=',
  lsh: '<<=',
  rsh: '>>=',
  mod: '%=',
  smod: 's%=',
  xor: '^=',
  arsh: 's>>=',
}
const CONDITION_SYMBOLS: Readonly<Record<Condition, string>> = {
  eq: '==',
  gt: '>',
  ge: '>=',
  set: '&',
  ne: '!=',
  sgt: 's>',
  sge: 's>=',
  lt: '<',
  le: '<=',
  slt: 's<',
  sle: 's<=',
}
const ATOMIC_SYMBOLS: Readonly<Record<AtomicOperation, string>> = {
  add: '+=',
  or: '|=',
  and: '&=',
  xor: '^=',
  xchg: 'xchg',
  cmpxchg: 'cmpxchg',
}

/** One instruction in the notation of the kernel's verifier log and llvm-objdump: `r2 = *(u32 *)(r1 + 4)`. */
export function disassemble(one: Instruction): string {
  switch (one.kind) {
    case 'alu':
      return `${name(one.destination, one.bits)} ${ALU_SYMBOLS[one.operation]} ${operand(one, one.bits)}`
    case 'move': {
      const extension = one.fromBits < one.bits ? `(s${one.fromBits})` : ''
      return `${name(one.destination, one.bits)} = ${extension}${operand(one, one.bits)}`
    }
    case 'negate':
      return `${name(one.destination, one.bits)} = -${name(one.destination, one.bits)}`
    case 'swap':
      return `r${one.destination} = ${one.order === 'swap' ? 'bswap' : one.order}${one.bits} r${one.destination}`
    case 'load-immediate':
      return `r${one.destination} = 0x${((BigInt(one.high >>> 0) << 32n) | BigInt(one.low >>> 0)).toString(16)} ll`
    case 'load-map':
      return `r${one.destination} = map[${one.map}] ll`
    case 'load-map-value':
      return `r${one.destination} = map[${one.map}][0] + ${one.offset} ll`
    case 'load-function':
      return `r${one.destination} = subprogram at ${one.target} ll`
    case 'load':
      return `r${one.destination} = ${memory(one, one.signed)}`
    case 'store':
      return `${memory(one, false)} = ${operand(one, 64)}`
    case 'atomic':
      return `lock ${one.fetch ? 'fetch ' : ''}${memory(one, false)} ${ATOMIC_SYMBOLS[one.operation]} r${one.source}`
    case 'jump': {
      const left = name(one.destination, one.bits)
      return `if ${left} ${CONDITION_SYMBOLS[one.condition]} ${operand(one, one.bits)} goto ${one.target}`
    }
    case 'goto':
      return `goto ${one.target}`
    case 'call':
      return `call helper ${one.helper}`
    case 'call-local':
      return `call subprogram at ${one.target}`
    case 'exit':
      return 'exit'
  }
}

function name(register: number, bits: number): string {
  return `${bits === 32 ? 'w' : 'r'}${register}`
}

function operand(one: { readonly source: number; readonly immediate: number }, bits: number): string {
  return one.source < 0 ? String(one.immediate) : name(one.source, bits)
}

function memory(one: { base: number; offset: number; bytes: AccessBytes }, signed: boolean): string {
  const sign = one.offset < 0 ? '-' : '+'
  return `*(${signed ? 's' : 'u'}${one.bytes * 8} *)(r${one.base} ${sign} ${Math.abs(one.offset)})`
}
