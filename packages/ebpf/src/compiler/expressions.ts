import type {
  AluInstruction,
  Condition,
  JumpInstruction,
  MoveInstruction,
  SwapInstruction,
} from '../isa/instruction.ts'
import {
  DESTINATION_NUMBER,
  DESTINATION_POINTER,
  DESTINATION_WIDE,
  DIVISOR_MAY_BE_ZERO,
  RESULT_WIDE,
  SOURCE_POINTER,
  SOURCE_WIDE,
} from '../verifier/facts.ts'
import { comparesLowHalves, isNarrow, needsHigh } from './half-liveness.ts'

/*
 * JavaScript for single instructions. A register is two variables, `r3` and `h3`, both signed 32-bit. Statements that
 * need both halves of an operand that is also the destination compute into `t` and `u` first.
 */

/** The variable of the low 32 bits of a register. */
export function low(register: number): string {
  return `r${register}`
}

/** The variable of the high 32 bits of a register. */
export function top(register: number): string {
  return `h${register}`
}

/** Both halves of the second operand. */
export function operand(one: { readonly source: number; readonly immediate: number }): { low: string; top: string } {
  if (one.source >= 0) return { low: low(one.source), top: top(one.source) }
  return { low: literal(one.immediate), top: literal(one.immediate >> 31) }
}

/** A constant that can follow any operator. */
export function literal(value: number): string {
  return value < 0 ? `(${value})` : String(value)
}

function set(register: number, lowValue: string, topValue: string | null): string {
  return `${low(register)}=${lowValue};${topValue === null ? '' : `${top(register)}=${topValue};`}`
}

/** Functions of wide.ts by operation, under the names that compiled code knows them by. */
const WIDE_FUNCTIONS: Readonly<Record<string, string>> = {
  mul: 'W.multiply',
  div: 'W.divideUnsigned',
  sdiv: 'W.divideSigned',
  mod: 'W.moduloUnsigned',
  smod: 'W.moduloSigned',
}
const SHIFT_FUNCTIONS: Readonly<Record<string, string>> = {
  lsh: 'W.shiftLeft',
  rsh: 'W.shiftRight',
  arsh: 'W.shiftRightSigned',
}
const BITWISE: Readonly<Record<string, string>> = { and: '&', or: '|', xor: '^' }

/** Low halves alone. Division by zero gives 0, the remainder the dividend (RFC 9669 section 4.1). */
function alu32Value(operation: AluInstruction['operation'], a: string, b: string, mayBeZero = true): string {
  switch (operation) {
    case 'add':
      return `(${a}+${b})|0`
    case 'sub':
      return `(${a}-${b})|0`
    case 'mul':
      return `Math.imul(${a},${b})`
    case 'div':
      return `${mayBeZero ? `${b}===0?0:` : ''}((${a}>>>0)/(${b}>>>0))|0`
    case 'sdiv':
      return `${mayBeZero ? `${b}===0?0:` : ''}(${a}/${b})|0`
    case 'mod':
      return `${mayBeZero ? `${b}===0?${a}:` : ''}((${a}>>>0)%(${b}>>>0))|0`
    case 'smod':
      return `${mayBeZero ? `${b}===0?${a}:` : ''}(${a}%${b})|0`
    case 'and':
    case 'or':
    case 'xor':
      return `${a}${BITWISE[operation]}${b}`
    case 'lsh':
      return `${a}<<${b}`
    case 'rsh':
      return `(${a}>>>${b})|0`
    case 'arsh':
      return `${a}>>${b}`
  }
}

/** `highIsLive`: a later instruction reads the high half of the result. */
export function aluStatement(one: AluInstruction, flags: number, highIsLive: boolean): string {
  const d = one.destination
  const b = operand(one)
  const zero = highIsLive ? '0' : null
  const mayBeZero = (flags & DIVISOR_MAY_BE_ZERO) !== 0
  if (one.bits === 32) return set(d, alu32Value(one.operation, low(d), b.low, mayBeZero), zero)
  const pointers = flags & (DESTINATION_POINTER | SOURCE_POINTER)
  if (pointers !== 0) {
    // Pointers move by their low halves; the high half is the region. The difference of two pointers is a number.
    const moved = alu32Value(one.operation, low(d), b.low)
    if (pointers === DESTINATION_POINTER) return set(d, moved, null)
    if (pointers === SOURCE_POINTER) return set(d, moved, highIsLive ? b.top : null)
    return set(d, moved, highIsLive ? `${low(d)}>>31` : null)
  }
  const resultIsNarrow = (flags & RESULT_WIDE) === 0
  switch (one.operation) {
    case 'add':
      if (!highIsLive || resultIsNarrow) return set(d, alu32Value('add', low(d), b.low), zero)
      return `t=(${low(d)}>>>0)+(${b.low}>>>0);${top(d)}=(${top(d)}+${b.top}+(t>4294967295?1:0))|0;${low(d)}=t|0;`
    case 'sub':
      if (!highIsLive || resultIsNarrow) return set(d, alu32Value('sub', low(d), b.low), zero)
      return `${top(d)}=(${top(d)}-${b.top}-(${low(d)}>>>0<${b.low}>>>0?1:0))|0;${low(d)}=(${low(d)}-${b.low})|0;`
    case 'and':
    case 'or':
    case 'xor': {
      const high = resultIsNarrow ? '0' : `${top(d)}${BITWISE[one.operation]}${b.top}`
      return set(d, alu32Value(one.operation, low(d), b.low), highIsLive ? high : null)
    }
    case 'mul':
      if (!highIsLive || resultIsNarrow) return set(d, alu32Value('mul', low(d), b.low), zero)
      return wideCall('W.multiply', one, highIsLive)
    case 'div':
    case 'mod':
    case 'sdiv':
    case 'smod': {
      if (!isNarrow(flags)) return wideCall(WIDE_FUNCTIONS[one.operation]!, one, highIsLive)
      // Without high halves nothing is negative: signed and unsigned are one.
      const unsigned = one.operation === 'div' || one.operation === 'sdiv' ? 'div' : 'mod'
      return set(d, alu32Value(unsigned, low(d), b.low, mayBeZero), zero)
    }
    case 'lsh':
    case 'rsh':
    case 'arsh':
      return shiftStatement(one, flags, highIsLive)
  }
}

function wideCall(name: string, one: AluInstruction, highIsLive: boolean): string {
  const d = one.destination
  const b = operand(one)
  const call = `${low(d)}=${name}(${low(d)},${top(d)},${b.low},${b.top});`
  return highIsLive ? `${call}${top(d)}=H[0];` : call
}

function shiftStatement(one: AluInstruction, flags: number, highIsLive: boolean): string {
  const d = one.destination
  const l = low(d)
  const h = top(d)
  const resultIsNarrow = (flags & RESULT_WIDE) === 0
  if (one.source >= 0) {
    const call = `${l}=${SHIFT_FUNCTIONS[one.operation]}(${l},${needsHigh(one, flags, highIsLive) ? h : 0},${low(one.source)});`
    return highIsLive ? `${call}${h}=${resultIsNarrow ? 0 : 'H[0]'};` : call
  }
  const by = one.immediate
  if (by === 0) return highIsLive && resultIsNarrow ? `${h}=0;` : ''
  if (one.operation === 'lsh') {
    const high = by > 32 ? `${l}<<${by - 32}` : by === 32 ? l : `(${h}<<${by}|${l}>>>${32 - by})|0`
    return `${highIsLive ? `${h}=${resultIsNarrow ? 0 : high};` : ''}${l}=${by >= 32 ? '0' : `${l}<<${by}`};`
  }
  const narrow = (flags & DESTINATION_WIDE) === 0
  const signed = one.operation === 'arsh' && !narrow
  if (by >= 32) {
    const value = narrow ? '0' : by === 32 ? h : signed ? `${h}>>${by - 32}` : `(${h}>>>${by - 32})|0`
    return set(d, value, highIsLive ? (signed ? `${h}>>31` : '0') : null)
  }
  if (narrow) return set(d, `(${l}>>>${by})|0`, highIsLive ? '0' : null)
  const high = signed ? `${h}>>${by}` : `(${h}>>>${by})|0`
  return set(d, `(${l}>>>${by})|(${h}<<${32 - by})`, highIsLive ? high : null)
}

export function moveStatement(one: MoveInstruction, flags: number, highIsLive: boolean): string {
  const b = operand(one)
  const shift = 32 - one.fromBits
  const value = shift > 0 ? `${b.low}<<${shift}>>${shift}` : b.low
  if (!highIsLive) return set(one.destination, value, null)
  if (one.bits === 32) return set(one.destination, value, '0')
  if (one.fromBits < 64) return set(one.destination, value, `${low(one.destination)}>>31`)
  const narrow = one.source >= 0 && (flags & (SOURCE_WIDE | SOURCE_POINTER)) === 0
  return set(one.destination, value, narrow ? '0' : b.top)
}

export function negateStatement(destination: number, bits: 32 | 64, highIsLive: boolean): string {
  const l = low(destination)
  const h = top(destination)
  if (bits === 32) return set(destination, `-${l}|0`, highIsLive ? '0' : null)
  return `${highIsLive ? `${h}=(~${h}+(${l}===0?1:0))|0;` : ''}${l}=-${l}|0;`
}

export function swapStatement(one: SwapInstruction, highIsLive: boolean): string {
  const l = low(one.destination)
  const h = top(one.destination)
  const zero = highIsLive ? '0' : null
  if (one.order === 'le') {
    if (one.bits === 64) return ''
    return set(one.destination, one.bits === 16 ? `${l}&65535` : l, zero)
  }
  if (one.bits === 16) return set(one.destination, `(${l}&255)<<8|${l}>>>8&255`, zero)
  if (one.bits === 32) return set(one.destination, `W.swapWord(${l})`, zero)
  return highIsLive ? `t=W.swapWord(${l});${l}=W.swapWord(${h});${h}=t;` : `${l}=W.swapWord(${h});`
}

const OPERATORS: Readonly<Record<Exclude<Condition, 'set'>, string>> = {
  eq: '===',
  ne: '!==',
  gt: '>',
  ge: '>=',
  lt: '<',
  le: '<=',
  sgt: '>',
  sge: '>=',
  slt: '<',
  sle: '<=',
}

/** The comparison as a JavaScript condition. */
export function condition(one: JumpInstruction, flags: number): string {
  const a = { low: low(one.destination), top: top(one.destination) }
  const b = operand(one)
  const oneWord = comparesLowHalves(one, flags)
  if (one.condition === 'set') return oneWord ? `(${a.low}&${b.low})!==0` : `(${a.low}&${b.low}|${a.top}&${b.top})!==0`
  const operator = OPERATORS[one.condition]
  if (one.condition === 'eq' || one.condition === 'ne') {
    if (oneWord) return `${a.low}${operator}${b.low}`
    // The null pointer is the only one in region 0.
    if ((flags & DESTINATION_NUMBER) === 0 && one.source < 0) return `${a.top}${operator}0`
    const equal = `${a.low}===${b.low}&&${a.top}===${b.top}`
    return one.condition === 'eq' ? equal : `!(${equal})`
  }
  const signed = one.condition.startsWith('s')
  const unsignedLow = `${a.low}>>>0${operator}${b.low}>>>0`
  // Numbers without high halves are not negative in 64 bits, so they compare unsigned either way.
  if (oneWord) return signed && one.bits === 32 ? `${a.low}${operator}${b.low}` : unsignedLow
  const strict = operator.charAt(0)
  const high = signed ? `${a.top}${strict}${b.top}` : `${a.top}>>>0${strict}${b.top}>>>0`
  return `${high}||${a.top}===${b.top}&&${unsignedLow}`
}
