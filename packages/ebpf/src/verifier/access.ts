import { STACK_BYTES } from '../isa/instruction.ts'
import type { ProgramEntry } from '../program-type.ts'
import {
  REGION_CONTEXT,
  REGION_MAP_VALUES,
  REGION_PACKET,
  REGION_SCRATCH,
  REGION_STACK,
} from '../runtime/memory-region.ts'
import { CONTEXT_ACCESS, FACT_MIXED, PACKET_CHANGE } from './facts.ts'
import {
  ANYWHERE,
  CONTEXT_MEMORY,
  describeRegister,
  isPointer,
  numberRegister,
  PACKET,
  PACKET_END,
  PACKET_META,
  type Register,
  SCRATCH,
} from './register.ts'
import { constant, isConstant, lowBits, S32_MAX, type Scalar, signExtend, truncate, UNKNOWN, upTo } from './scalar.ts'
import type { Site } from './site.ts'
import { type Frame, SLOT_BYTES } from './state.ts'

/** Bytes of a register. */
const WHOLE_BYTES = 8

/** Largest variable offset of a packet pointer. Source: Linux MAX_PACKET_OFF. */
export const PACKET_OFFSET_MAX = 0xffffn
/** Largest offset of any other pointer, either way. Source: Linux BPF_MAX_VAR_OFF. */
export const POINTER_OFFSET_MAX = 1n << 29n

/** Lowest and highest offset that a pointer may have, its variable part included. */
function offsetBounds(pointer: Register, offset: number): { readonly low: bigint; readonly high: bigint } {
  const fixed = BigInt(pointer.offset + offset)
  return { low: pointer.number.signedMin + fixed, high: pointer.number.signedMax + fixed }
}

/** What a register holds that was loaded from memory with unknown contents. */
export function loaded(bytes: number, signed: boolean): Register {
  if (bytes === 8) return numberRegister(UNKNOWN)
  if (signed) return numberRegister(signExtend(UNKNOWN, bytes * 8))
  return numberRegister(upTo((1n << BigInt(bytes * 8)) - 1n))
}

/**
 * `bytes` from the packet pointer on were compared with the end of the packet. Only pointers whose variable part is 0 to
 * 65535 ever get a range.
 */
function checkPacket(site: Site, pointer: Register, offset: number, bytes: number): void {
  const start = pointer.offset + offset
  if (start < 0 || start + bytes > pointer.range)
    site.fail(
      `packet access at offset ${start}, ${bytes} bytes, was not compared with the end of the packet: ${pointer.range} bytes are`,
    )
}

/** The whole access lies in the memory, whose size is known. */
function checkMemory(site: Site, pointer: Register, offset: number, bytes: number): void {
  const { low, high } = offsetBounds(pointer, offset)
  if (low < 0n || high + BigInt(bytes) > BigInt(pointer.range))
    site.fail(`access to memory at offset ${range(low, high)}, ${bytes} bytes; it has ${pointer.range}`)
}

/** The whole access lies in the map's value. */
function checkMapValue(site: Site, pointer: Register, offset: number, bytes: number): void {
  const { low, high } = offsetBounds(pointer, offset)
  const { name, valueBytes } = site.maps[pointer.object]!
  if (low < 0n || high + BigInt(bytes) > BigInt(valueBytes))
    site.fail(
      `access to a value of map ${name} at offset ${range(low, high)}, ${bytes} bytes; the value has ${valueBytes}`,
    )
}

function range(low: bigint, high: bigint): string {
  return low === high ? String(low) : `${low} to ${high}`
}

/**
 * First and last byte index of the frame's stack that an access of `bytes` may start at. Loads and stores are aligned, as
 * spills are kept by slots.
 */
function stackBounds(site: Site, pointer: Register, offset: number, bytes: number): { low: number; high: number } {
  const { low, high } = offsetBounds(pointer, offset)
  if (low < BigInt(-STACK_BYTES) || high + BigInt(bytes) > 0n)
    site.fail(`stack access at offset ${range(low, high)}, ${bytes} bytes; the frame is -${STACK_BYTES} to -1`)
  return { low: Number(low) + STACK_BYTES, high: Number(high) + STACK_BYTES }
}

/** Source: Linux kernel/bpf/verifier.c, check_ptr_alignment. */
function checkStackAlignment(site: Site, pointer: Register, offset: number, bytes: number): void {
  const { value, mask } = pointer.number.bits
  if (((value + BigInt(pointer.offset + offset)) | mask) % BigInt(bytes) !== 0n)
    site.fail(`stack access at offset ${pointer.offset + offset} is not aligned to ${bytes} bytes`)
}

function frameOf(site: Site, pointer: Register): Frame {
  return site.state.frames[pointer.object]!
}

/** What is stored in [low, high) is no register any more. */
function dropSpills(frame: Frame, low: number, high: number): void {
  const first = Math.floor(low / SLOT_BYTES)
  if (first % 2 === 1 && (frame.spill(first - 1)?.bytes ?? 0) > SLOT_BYTES) frame.setSpill(first - 1, null)
  for (let slot = Math.floor(low / SLOT_BYTES); slot * SLOT_BYTES < high; slot++) frame.setSpill(slot, null)
}

function readStack(site: Site, pointer: Register, offset: number, bytes: number, signed: boolean): Register {
  checkStackAlignment(site, pointer, offset, bytes)
  const { low, high } = stackBounds(site, pointer, offset, bytes)
  if (low !== high) return loaded(bytes, signed)
  const frame = frameOf(site, pointer)
  const slot = Math.floor(low / SLOT_BYTES)
  const spill = frame.spill(slot)
  if (spill === null) return readSecondHalf(site, frame, slot, low, bytes, signed)
  const { register } = spill
  if (low % SLOT_BYTES === 0) {
    if (spill.bytes === bytes) return filled(site, register, bytes, signed)
    if (bytes < spill.bytes && register.kind === 'number')
      return filled(site, numberRegister(lowBits(register.number, bytes * 8)), bytes, signed)
  }
  if (register.kind !== 'number') site.fail(`stack access at offset ${low - STACK_BYTES} takes part of a pointer`)
  return loaded(bytes, signed)
}

/** What lies in the upper half of 8 bytes that were stored at once: of numbers, only zeros are known there. */
function readSecondHalf(site: Site, frame: Frame, slot: number, low: number, bytes: number, signed: boolean): Register {
  const whole = slot % 2 === 1 ? frame.spill(slot - 1) : null
  if (whole === null || whole.bytes <= SLOT_BYTES) return loaded(bytes, signed)
  const { register } = whole
  if (register.kind !== 'number') site.fail(`stack access at offset ${low - STACK_BYTES} takes part of a pointer`)
  return isZero(register) ? register : loaded(bytes, signed)
}

function isZero({ kind, number }: Register): boolean {
  return kind === 'number' && isConstant(number) && number.min === 0n
}

function filled(site: Site, register: Register, bytes: number, signed: boolean): Register {
  if (register.kind === 'stale' || register.kind === 'none')
    site.fail(`the stack slot is ${describeRegister(register)}`)
  return signed ? numberRegister(signExtend(register.number, bytes * 8)) : register
}

function writeStack(site: Site, pointer: Register, offset: number, bytes: number, value: Register): void {
  checkStackAlignment(site, pointer, offset, bytes)
  const { low, high } = stackBounds(site, pointer, offset, bytes)
  const frame = frameOf(site, pointer)
  if (isPointer(value) && !(low === high && bytes === WHOLE_BYTES))
    site.fail('a pointer is stored to the stack other than as 8 bytes at a known place')
  // It would outlive its frame, as one that is returned. Source: Linux check_stack_write_fixed_off.
  if (value.kind === 'stack' && value.object > pointer.object)
    site.fail(`${describeRegister(value)} is stored in the frame of a caller`)
  dropSpills(frame, low, high + bytes)
  if (low !== high || low % SLOT_BYTES !== 0) return
  if (low % WHOLE_BYTES !== 0) {
    const { number } = value
    if (isZero(value) || (!isConstant(number) && number.max <= BigInt(S32_MAX) && number.max < 1n << BigInt(bytes * 8)))
      frame.setSpill(low / SLOT_BYTES, { register: numberRegister(number), bytes })
    return
  }
  if (bytes === WHOLE_BYTES || value.number.max < 1n << BigInt(bytes * 8))
    frame.setSpill(low / SLOT_BYTES, { register: value, bytes })
}

/** Which region an access reaches, and where if that is constant: for the compiler. */
function note(site: Site, region: number, address: number): void {
  site.facts.join(site.facts.region, site.index, region)
  site.facts.join(site.facts.address, site.index, address)
}

function regionOfMemory(object: number): number {
  if (object === SCRATCH) return REGION_SCRATCH
  if (object === ANYWHERE) return FACT_MIXED
  return object < 0 ? REGION_PACKET : REGION_MAP_VALUES + object
}

/** An address within a region that the compiler finds at run time only. */
const VARIABLE = -2

/** Marks an access for the compiler; stack frames follow one another in one region. */
export function noteAccess(site: Site, pointer: Register, offset: number): void {
  if (pointer.kind === 'context') {
    site.facts.flags[site.index]! |= CONTEXT_ACCESS
    note(site, REGION_CONTEXT, pointer.offset + offset)
  }
  if (pointer.kind === 'packet' || pointer.kind === 'packet-meta') note(site, REGION_PACKET, VARIABLE)
  else if (pointer.kind === 'memory') note(site, regionOfMemory(pointer.object), VARIABLE)
  else if (pointer.kind === 'map-value')
    note(site, pointer.object < site.mapCount ? REGION_MAP_VALUES + pointer.object : FACT_MIXED, VARIABLE)
  else if (pointer.kind === 'stack') {
    const { low, high } = offsetBounds(pointer, offset)
    const address = low === high && !site.isGlobal ? (pointer.object + 1) * STACK_BYTES + Number(low) : VARIABLE
    note(site, REGION_STACK, address)
  }
}

/**
 * What a map that can't change holds at a known place: configuration in `.rodata`. Source: Linux kernel/bpf/verifier.c,
 * bpf_map_direct_read.
 */
function frozen(site: Site, pointer: Register, offset: number, bytes: number, signed: boolean): Register | undefined {
  const contents = site.contents(pointer.object)
  if (contents === undefined || pointer.number.bits.mask !== 0n) return undefined
  const at = Number(pointer.number.signedMin) + pointer.offset + offset
  let value = 0n
  for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(contents[at + i]!)
  return numberRegister(constant(signed ? BigInt.asIntN(bytes * 8, value) : value))
}

const FIELD_REGISTERS = { packet: PACKET, 'packet-end': PACKET_END, 'packet-meta': PACKET_META }

/** What a load from the context gives; undefined: no field of these bytes is there. */
function contextField(entry: ProgramEntry, offset: number, bytes: number): Register | undefined {
  if (entry.kind !== 'context') return undefined
  const field = entry.fields.find((one) => one.offset === offset && one.bytes === bytes)
  if (field === undefined) return undefined
  return field.role === 'number' ? loaded(bytes, false) : FIELD_REGISTERS[field.role]
}

function noMemory(site: Site, pointer: Register): never {
  return site.fail(`memory access through ${describeRegister(pointer)}`)
}

/** A load of `bytes`; what the destination holds afterwards. `field` types the context's fields. */
export function readMemory(site: Site, pointer: Register, offset: number, bytes: number, signed: boolean): Register {
  noteAccess(site, pointer, offset)
  switch (pointer.kind) {
    case 'context': {
      const at = pointer.offset + offset
      const value = signed ? undefined : contextField(site.type.entry, at, bytes)
      return value ?? site.fail(`the context has no field of ${bytes} bytes at offset ${at}`)
    }
    case 'packet':
    case 'packet-meta':
      checkPacket(site, pointer, offset, bytes)
      return loaded(bytes, signed)
    case 'memory':
      checkMemory(site, pointer, offset, bytes)
      return loaded(bytes, signed)
    case 'map-value':
      checkMapValue(site, pointer, offset, bytes)
      return frozen(site, pointer, offset, bytes, signed) ?? loaded(bytes, signed)
    case 'stack':
      return readStack(site, pointer, offset, bytes, signed)
    default:
      return noMemory(site, pointer)
  }
}

/** A store of `bytes` of `value`. */
export function writeMemory(site: Site, pointer: Register, offset: number, bytes: number, value: Register): void {
  noteAccess(site, pointer, offset)
  if (pointer.kind === 'stack') {
    writeStack(site, pointer, offset, bytes, value)
    return
  }
  switch (pointer.kind) {
    case 'packet':
    case 'packet-meta':
      notePacketChange(site, pointer)
      checkPacket(site, pointer, offset, bytes)
      return
    case 'memory':
      if (pointer.object === SCRATCH) site.fail('the key is read-only')
      notePacketChange(site, pointer)
      checkMemory(site, pointer, offset, bytes)
      return
    case 'map-value':
      checkMapValue(site, pointer, offset, bytes)
      checkWritable(site, pointer)
      return
    case 'context':
      site.fail('the context is read-only')
      break
    default:
      noMemory(site, pointer)
  }
}

/** A store to what the program was given. Memory that a global function gets was noted where that is called. */
function notePacketChange(site: Site, { kind, object }: Register): void {
  if (kind === 'packet' || kind === 'packet-meta' || (kind === 'memory' && object === CONTEXT_MEMORY))
    site.facts.flags[site.index]! |= PACKET_CHANGE
}

function checkWritable(site: Site, pointer: Register): void {
  const { name, readOnly, type } = site.maps[pointer.object]!
  if (readOnly || type === 'xskmap' || type === 'devmap' || type === 'devmap-hash')
    site.fail(`values of map ${name} are read-only`)
}

/** Atomic read and write of `bytes`; aligned, on the stack or in a map value. What was there before. */
export function modifyMemory(site: Site, pointer: Register, offset: number, bytes: number): Register {
  if (pointer.kind !== 'stack' && pointer.kind !== 'map-value' && pointer.kind !== 'memory')
    site.fail(`atomic access through ${describeRegister(pointer)}; accepted: the stack, a map value, memory`)
  const aligned = (pointer.number.bits.value | pointer.number.bits.mask) % BigInt(bytes) === 0n
  if (!aligned || (pointer.offset + offset) % bytes !== 0) site.fail(`atomic access is not aligned to ${bytes} bytes`)
  const before = readMemory(site, pointer, offset, bytes, false)
  if (before.kind !== 'number') site.fail('atomic access to a pointer')
  writeMemory(site, pointer, offset, bytes, bytes === 4 ? numberRegister(truncate(UNKNOWN)) : numberRegister(UNKNOWN))
  return loaded(bytes, false)
}

/** A helper reads `bytes` from a pointer on. */
export function checkReadable(site: Site, pointer: Register, bytes: number): void {
  switch (pointer.kind) {
    case 'packet':
    case 'packet-meta':
      checkPacket(site, pointer, 0, bytes)
      return
    case 'memory':
      checkMemory(site, pointer, 0, bytes)
      return
    case 'map-value':
      checkMapValue(site, pointer, 0, bytes)
      return
    case 'stack':
      stackBounds(site, pointer, 0, bytes)
      return
    default:
      noMemory(site, pointer)
  }
}

/** A helper writes `bytes` at a pointer: what was known of stack there is not any more. */
export function checkWritableMemory(site: Site, pointer: Register, bytes: number): void {
  checkReadable(site, pointer, bytes)
  if (pointer.kind === 'map-value') checkWritable(site, pointer)
  if (pointer.kind === 'memory' && pointer.object === SCRATCH) site.fail('the key is read-only')
  notePacketChange(site, pointer)
  if (pointer.kind !== 'stack') return
  const { low, high } = stackBounds(site, pointer, 0, bytes)
  dropSpills(frameOf(site, pointer), low, high + bytes)
}

/** What is known of a number of `bytes` on the stack; undefined where a pointer is to something else. */
export function numberAt(site: Site, pointer: Register, bytes: number): Scalar | undefined {
  if (pointer.kind !== 'stack') return undefined
  const { low, high } = stackBounds(site, pointer, 0, bytes)
  const spill = low === high && low % SLOT_BYTES === 0 ? frameOf(site, pointer).spill(low / SLOT_BYTES) : null
  const register = spill?.register
  return spill?.bytes === bytes && register?.kind === 'number' ? register.number : undefined
}
