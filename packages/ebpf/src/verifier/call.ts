import type { CallbackArgument, HelperArgument, HelperSignature } from '../helpers/helper.ts'
import { helperName } from '../helpers/helper-names.ts'
import type { CallInstruction } from '../isa/instruction.ts'
import type { EbpfMapDefinition } from '../maps/ebpf-map.ts'
import { checkReadable, checkWritableMemory, noteAccess, numberAt } from './access.ts'
import { FACT_MIXED, KEY_MAY_MISS, PACKET_CHANGE } from './facts.ts'
import {
  describeRegister,
  mapOrNull,
  mapRegister,
  mapValueOrNull,
  mapValueRegister,
  memoryRegister,
  NONE,
  numberRegister,
  type Register,
  recordOrNull,
  SCRATCH,
} from './register.ts'
import { isConstant, MASK32_NUMBER, UNKNOWN } from './scalar.ts'
import { initialised, numeric, type Site } from './site.ts'

/** The most bytes that a helper is given in one argument. Source: Linux BPF_MAX_VAR_SIZ. */
const SIZE_MAX = 1n << 29n

/** A function of the program that a helper calls, with what its registers r1 to r5 hold. */
export interface Callback {
  readonly target: number
  readonly registers: readonly Register[]
}

/** One call that is being checked. */
interface Call {
  readonly site: Site
  readonly signature: HelperSignature
  /** Number of its map, or -1. */
  readonly map: number
}

/** Checks a helper call: its arguments, then what it leaves in r0 .. r5. @returns the function that it calls, if it does */
export function checkCall(site: Site, one: CallInstruction): Callback | undefined {
  const signature = site.type.helpers.get(one.helper)
  if (signature === undefined) site.fail(`helper ${helperName(one.helper)} is not there for ${site.type.name} programs`)
  const at = signature.arguments.indexOf('map')
  const map = at < 0 ? -1 : checkMap(site, signature, at + 1)
  // What is looked up in a map of maps, and in a map that was looked up, is found at run time.
  const isKnown = map < site.mapCount && !site.maps[map]?.type.endsWith('-of-maps')
  site.facts.join(site.facts.map, site.index, isKnown ? map : FACT_MIXED)
  const call: Call = { site, signature, map }
  for (const [i, argument] of signature.arguments.entries()) checkArgument(call, argument, i + 1)
  if (signature.writesPacket) site.facts.flags[site.index]! |= PACKET_CHANGE
  if (signature.leaves && site.state.references.size > 0)
    site.fail('a record of a ring buffer is not given back before')
  const callback = callbackOf(call)
  const left = result(call)
  if (signature.movesPacket) {
    site.facts.flags[site.index]! |= PACKET_CHANGE
    site.state.forgetPacket()
  }
  const { registers } = site.state
  for (let number = 1; number <= 5; number++) registers[number] = NONE
  registers[0] = left
  return callback
}

function result({ site, signature, map }: Call): Register {
  switch (signature.result) {
    case 'number':
      return numberRegister(UNKNOWN)
    case 'word':
      return numberRegister(MASK32_NUMBER)
    case 'value':
      // What a map of maps holds follows the maps of the program.
      return site.maps[map]!.type.endsWith('-of-maps')
        ? mapOrNull(map + site.mapCount, site.newId())
        : foundValue(site, map)
    case 'record': {
      const size = site.state.registers[signature.arguments.indexOf('constant') + 1]!.number.min
      const id = site.newId()
      site.state.references.add(id)
      return recordOrNull(map, Number(size), id)
    }
  }
}

/**
 * What a look-up of values leaves. With a key on the stack that is known and in the bounds of an array the value is
 * there.
 * Source: Linux kernel/bpf/verifier.c, get_constant_map_key and can_elide_value_nullness (6.14 on). With one whose
 * range is in the bounds it is there too, but has to be compared with null, as Linux wants it.
 */
function foundValue(site: Site, map: number): Register {
  const { type, keyBytes, maxEntries } = site.maps[map]!
  // Inner maps may be larger or smaller than what is declared of them.
  const isArray = (type === 'array' || type === 'percpu-array') && map < site.mapCount
  const key = isArray ? numberAt(site, site.state.registers[2]!, keyBytes) : undefined
  if (key === undefined || key.max >= BigInt(maxEntries)) {
    site.facts.flags[site.index]! |= KEY_MAY_MISS
    return mapValueOrNull(map, site.newId())
  }
  return isConstant(key) ? mapValueRegister(map, 0) : { ...mapValueOrNull(map, site.newId()), range: 1 }
}

function checkMap(site: Site, signature: HelperSignature, number: number): number {
  const register = initialised(site, number)
  if (register.kind !== 'map')
    site.fail(`${signature.name} takes a map in r${number}, which is ${describeRegister(register)}`)
  const { name, type, readOnly } = site.maps[register.object]!
  if (!signature.maps!.includes(type))
    site.fail(`${signature.name} does not work on map ${name} of type ${type}; accepted: ${signature.maps!.join(', ')}`)
  if (readOnly && signature.result !== 'value') site.fail(`map ${name} is read-only`)
  return register.object
}

function checkArgument(call: Call, argument: HelperArgument, number: number): void {
  const { site, signature } = call
  const use = `${signature.name}, argument ${number},`
  switch (argument) {
    case 'map':
    case 'optional-number':
      return
    case 'context': {
      const register = initialised(site, number)
      if (register.kind !== 'context' || register.offset !== 0)
        site.fail(`${use} takes the context, r${number} is ${describeRegister(register)}`)
      return
    }
    case 'map-key':
      noteAccess(site, initialised(site, number), 0)
      checkReadable(site, initialised(site, number), definitionOf(call).keyBytes)
      return
    case 'map-value':
      checkReadable(site, initialised(site, number), definitionOf(call).valueBytes)
      return
    case 'number':
      initialised(site, number)
      return
    case 'constant': {
      const { number: value } = numeric(site, number, use)
      if (!isConstant(value) || value.max > SIZE_MAX) site.fail(`${use} r${number} is no known number up to 2^29`)
      return
    }
    case 'memory':
    case 'memory-or-null':
    case 'memory-to-write':
      checkSized(site, argument, number, use)
      return
    case 'size':
    case 'size-or-zero':
      checkSize(site, number, argument === 'size', use)
      return
    case 'record':
      giveBack(site, number, use)
      return
    case 'callback': {
      const register = initialised(site, number)
      if (register.kind !== 'function')
        site.fail(`${use} takes a function, r${number} is ${describeRegister(register)}`)
      return
    }
    case 'callback-context': {
      const register = initialised(site, number)
      const isNull = register.kind === 'number' && isConstant(register.number) && register.number.min === 0n
      if (register.kind !== 'stack' && !isNull)
        site.fail(`${use} takes a stack pointer or null, r${number} is ${describeRegister(register)}`)
      return
    }
  }
}

function definitionOf({ site, map }: Call): EbpfMapDefinition {
  return site.maps[map]!
}

/** A size in a register: bounded, and not zero unless that is allowed. */
function checkSize(site: Site, number: number, positive: boolean, use: string): bigint {
  const { number: size } = numeric(site, number, use)
  if (size.max > SIZE_MAX) site.fail(`${use} the size in r${number} is not bounded`)
  if (positive && size.min === 0n) site.fail(`${use} the size in r${number} may be 0`)
  return size.max
}

/** Memory whose size is in the next register. */
function checkSized(
  site: Site,
  argument: 'memory' | 'memory-or-null' | 'memory-to-write',
  number: number,
  use: string,
): void {
  const register = initialised(site, number)
  const orNull = argument === 'memory-or-null'
  const size = checkSize(site, number + 1, false, use)
  if (register.kind === 'number') {
    const isNull = isConstant(register.number) && register.number.min === 0n
    if (!orNull || !isNull || size !== 0n)
      site.fail(`${use} r${number} is a number; accepted: memory${orNull ? ', or null with size 0' : ''}`)
    return
  }
  if (argument === 'memory-to-write') checkWritableMemory(site, register, Number(size))
  else checkReadable(site, register, Number(size))
}

/** A record goes back: no register may use it from here on. */
function giveBack(site: Site, number: number, use: string): void {
  const register = initialised(site, number)
  if (register.kind !== 'memory' || register.reference === 0 || register.offset !== 0)
    site.fail(`${use} takes the start of a record, r${number} is ${describeRegister(register)}`)
  const { reference } = register
  site.state.references.delete(reference)
  site.state.rewrite((one) => (one.reference === reference ? NONE : one))
}

function callbackOf({ site, signature, map }: Call): Callback | undefined {
  const at = signature.arguments.indexOf('callback') + 1
  if (at === 0) return undefined
  const given: Readonly<Record<CallbackArgument, () => Register>> = {
    index: () => numberRegister(MASK32_NUMBER),
    map: () => mapRegister(map),
    'map-key': () => ({ ...memoryRegister(site.maps[map]!.keyBytes), object: SCRATCH }),
    'map-value': () => mapValueRegister(map, 0),
  }
  const registers = signature.callbackArguments!.map((one) => given[one]())
  return { target: site.state.registers[at]!.object, registers: [...registers, site.state.registers[at + 1]!] }
}
