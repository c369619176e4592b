import type { HelperArgument, HelperSignature } from '../helpers/helper.ts'
import type { CallInstruction } from '../isa/instruction.ts'
import type { EbpfMapDefinition } from '../maps/ebpf-map.ts'
import { checkReadable, noteAccess } from './access.ts'
import { PACKET_CHANGE } from './facts.ts'
import { describeRegister, mapValueOrNull, NONE, numberRegister, type Register } from './register.ts'
import { isConstant, MASK32_NUMBER, UNKNOWN } from './scalar.ts'
import { initialised, numeric, type Site } from './site.ts'

/** The most bytes that a helper is given in one argument. Source: Linux BPF_MAX_VAR_SIZ. */
const SIZE_MAX = 1n << 29n

/** Checks a helper call: its arguments, then what it leaves in r0 .. r5. */
export function checkCall(site: Site, one: CallInstruction): void {
  const signature = site.type.helpers.get(one.helper)
  if (signature === undefined) site.fail(`helper ${one.helper} does not exist for ${site.type.name} programs`)
  const map = signature.arguments[0] === 'map' ? checkMap(site, signature) : -1
  site.facts.join(site.facts.map, site.index, map)
  for (const [i, argument] of signature.arguments.entries())
    checkArgument(site, signature, argument, i + 1, site.maps[map])
  if (signature.movesPacket) {
    site.facts.flags[site.index]! |= PACKET_CHANGE
    site.state.forgetPacket()
  }
  const { registers } = site.state
  for (let number = 1; number <= 5; number++) registers[number] = NONE
  registers[0] = result(site, signature, map)
}

function result(site: Site, signature: HelperSignature, map: number): Register {
  if (signature.result === 'value') return mapValueOrNull(map, site.newId())
  return numberRegister(signature.result === 'word' ? MASK32_NUMBER : UNKNOWN)
}

function checkMap(site: Site, signature: HelperSignature): number {
  const register = initialised(site, 1)
  if (register.kind !== 'map') site.fail(`${signature.name} takes a map in r1, which is ${describeRegister(register)}`)
  const { name, type, readOnly } = site.maps[register.object]!
  if (!signature.maps!.includes(type))
    site.fail(`${signature.name} does not work on map ${name} of type ${type}; accepted: ${signature.maps!.join(', ')}`)
  if (readOnly && signature.result !== 'value') site.fail(`map ${name} is read-only`)
  return register.object
}

function checkArgument(
  site: Site,
  signature: HelperSignature,
  argument: HelperArgument,
  number: number,
  map: EbpfMapDefinition | undefined,
): void {
  const use = `${signature.name}, argument ${number},`
  switch (argument) {
    case 'map':
      return
    case 'context': {
      const register = initialised(site, number)
      if (register.kind !== 'context' || register.offset !== 0)
        site.fail(`${use} takes the context, r${number} is ${describeRegister(register)}`)
      return
    }
    case 'map-key':
      noteAccess(site, initialised(site, number), 0)
      checkReadable(site, initialised(site, number), map!.keyBytes)
      return
    case 'map-value':
      checkReadable(site, initialised(site, number), map!.valueBytes)
      return
    case 'optional-number':
      return
    case 'number':
      initialised(site, number)
      return
    case 'memory':
    case 'memory-or-null':
      checkSized(site, argument === 'memory-or-null', number, use)
      return
    case 'size':
    case 'size-or-zero':
      checkSize(site, number, argument === 'size', use)
      return
  }
}

/** A size in a register: bounded, and not zero unless that is allowed. */
function checkSize(site: Site, number: number, positive: boolean, use: string): bigint {
  const { number: size } = numeric(site, number, use)
  if (size.max > SIZE_MAX) site.fail(`${use} the size in r${number} is not bounded`)
  if (positive && size.min === 0n) site.fail(`${use} the size in r${number} may be 0`)
  return size.max
}

/** Memory whose size is in the register behind it. */
function checkSized(site: Site, orNull: boolean, number: number, use: string): void {
  const register = initialised(site, number)
  const size = checkSize(site, number + 1, !orNull, use)
  if (register.kind === 'number') {
    const isNull = isConstant(register.number) && register.number.min === 0n
    if (!orNull || !isNull || size !== 0n)
      site.fail(`${use} r${number} is a number; accepted: memory${orNull ? ', or null with size 0' : ''}`)
    return
  }
  if (size > 0n) checkReadable(site, register, Number(size))
}
