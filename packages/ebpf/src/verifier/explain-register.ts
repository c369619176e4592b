import { STACK_BYTES } from '../isa/instruction.ts'
import { describeRegister, type Register } from './register.ts'
import { fitsWord, isConstant, type Scalar } from './scalar.ts'

/** What the verifier knows of a register, in a line: `packet + 14, 34 bytes checked`, `0 to 255`. */
export function explainRegister(one: Register, mapNames: readonly string[]): string {
  switch (one.kind) {
    case 'number':
      return explainNumber(one.number)
    case 'packet':
    case 'packet-meta':
      return `${one.kind === 'packet' ? 'packet' : 'metadata'}${place(one)}, ${Math.max(one.range, 0)} bytes checked`
    case 'packet-end':
      return 'end of the packet'
    case 'context':
      return `context${place(one)}`
    case 'stack':
      return `stack${place(one)}${one.object === 0 ? '' : ` of frame ${one.object}`}`
    case 'map-value':
    case 'map-value-or-null':
      return `value of ${mapName(one, mapNames)}${place(one)}${one.kind === 'map-value' ? '' : ', or null'}`
    case 'map':
      return `map ${mapName(one, mapNames)}`
    case 'memory':
    case 'memory-or-null':
      return `memory${place(one)}, of ${one.range} bytes${one.kind === 'memory' ? '' : ', or null'}`
    default:
      return describeRegister(one)
  }
}

function mapName({ object }: Register, names: readonly string[]): string {
  return names[object % names.length] ?? `map ${object}`
}

/** Offset of a pointer: the constant part, then what varies. */
function place({ offset, number, kind }: Register): string {
  const varies = isConstant(number) ? '' : ` + ${explainNumber(number)}`
  const fixed = offset + (isConstant(number) ? Number(number.signedMin) : 0)
  if (kind === 'stack' && fixed === 0 && varies === '') return ' end'
  if (kind === 'stack') return ` ${fixed < 0 ? '-' : '+'} ${Math.min(Math.abs(fixed), STACK_BYTES)}${varies}`
  return `${fixed === 0 ? '' : ` ${fixed < 0 ? '-' : '+'} ${Math.abs(fixed)}`}${varies}`
}

function explainNumber(one: Scalar): string {
  if (isConstant(one)) return String(one.signedMin)
  if (fitsWord(one))
    return one.min === 0n && one.max === 0xffff_ffffn ? 'any 32-bit number' : `${one.min} to ${one.max}`
  const narrow = one.signedMax - one.signedMin < 1n << 40n
  return narrow ? `${one.signedMin} to ${one.signedMax}` : 'any number'
}
