import type { AtomicInstruction, LoadInstruction, StoreInstruction } from '../isa/instruction.ts'
import type { ProgramEntry } from '../program-type.ts'
import { REGION_CONTEXT, REGION_MAP_VALUES, REGION_PACKET, REGION_STACK } from '../runtime/memory-region.ts'
import { low, operand, top } from './expressions.ts'

/*
 * JavaScript for memory accesses. The region is known for nearly every instruction, and with it the DataView: `P` for the
 * packet, `S` for the stack, `V3` for the values of map 3. Where paths differ, the pointer's high half picks it from the
 * table `R`. The verifier has proved every access to be in bounds; the engine checks again.
 */

/** What the verifier knows of an access: region, and constant address or a negative number. */
export interface AccessPlace {
  readonly region: number
  readonly address: number
}

/** The DataView of an access. */
export function viewOf(place: AccessPlace, base: number): string {
  if (place.region === REGION_PACKET) return 'P'
  if (place.region === REGION_STACK) return 'S'
  if (place.region >= REGION_MAP_VALUES) return `V${place.region - REGION_MAP_VALUES}`
  return `R[${top(base)}].view`
}

/** The Uint8Array of an access. */
export function bytesOf(place: AccessPlace, base: number): string {
  if (place.region === REGION_PACKET) return 'P8'
  if (place.region === REGION_STACK) return 'S8'
  if (place.region >= REGION_MAP_VALUES) return `R[${place.region}].u8`
  return `R[${top(base)}].u8`
}

/** Byte offset `plus` bytes into an access. Unsigned: packet memory may be larger than 2 GiB. */
export function addressOf(place: AccessPlace, base: number, offset: number, plus = 0): string {
  if (place.address >= 0) return String(place.address + plus)
  const distance = offset + plus
  return distance === 0 ? `${low(base)}>>>0` : `${low(base)}+(${distance})>>>0`
}

/** Loads into a register; without the high half where it is never read. */
export function loadStatement(
  one: LoadInstruction,
  place: AccessPlace,
  highIsLive: boolean,
  entry: ProgramEntry,
): string {
  const d = low(one.destination)
  const h = top(one.destination)
  if (place.region === REGION_CONTEXT && entry.kind === 'context') {
    const { property, role } = entry.fields.find(({ offset }) => offset === place.address)!
    return `${d}=context.${property}|0;${highIsLive ? `${h}=${role === 'number' ? 0 : REGION_PACKET};` : ''}`
  }
  const view = viewOf(place, one.base)
  const at = addressOf(place, one.base, one.offset)
  if (one.bytes === 8) {
    const lowLoad = `${view}.getInt32(${at},true)`
    if (!highIsLive) return `${d}=${lowLoad};`
    // The base may be the destination: its high half and its low half are both read before either is written.
    return `u=${view}.getInt32(${addressOf(place, one.base, one.offset, 4)},true);${d}=${lowLoad};${h}=u;`
  }
  const sign = one.signed || one.bytes === 4 ? 'Int' : 'Uint'
  const load = `${view}.get${sign}${one.bytes * 8}(${at}${one.bytes === 1 ? '' : ',true'})`
  return `${d}=${load};${highIsLive ? `${h}=${one.signed ? `${d}>>31` : 0};` : ''}`
}

/** Stores a register or an immediate. */
export function storeStatement(one: StoreInstruction, place: AccessPlace): string {
  const view = viewOf(place, one.base)
  const value = operand(one)
  const at = addressOf(place, one.base, one.offset)
  const bits = Math.min(one.bytes * 8, 32)
  const store = `${view}.setInt${bits}(${at},${value.low}${bits === 8 ? '' : ',true'});`
  if (one.bytes < 8) return store
  return `${store}${view}.setInt32(${addressOf(place, one.base, one.offset, 4)},${value.top},true);`
}

/** Reads, computes with the interpreter's own function unless it is a plain addition, and writes. */
export function atomicStatement(one: AtomicInstruction, place: AccessPlace): string {
  const view = viewOf(place, one.base)
  const at = addressOf(place, one.base, one.offset)
  const isWide = one.bytes === 8
  const s = low(one.source)
  const sh = isWide ? top(one.source) : '0'
  const h0 = isWide ? 'h0' : '0'
  const read = `const m=${at},v=${view},o=v.getInt32(m,true),p=${isWide ? 'v.getInt32(m+4,true)' : '0'};`
  const modify = atomicValue(one, s, sh, h0)
  const write = `v.setInt32(m,x,true);${isWide ? 'v.setInt32(m+4,y,true);' : ''}`
  const receiver = one.operation === 'cmpxchg' ? 0 : one.source
  return `{${read}${modify}${write}${one.fetch ? `${low(receiver)}=o;${top(receiver)}=p;` : ''}}`
}

function atomicValue(one: AtomicInstruction, s: string, sh: string, h0: string): string {
  if (one.operation === 'add' && one.bytes === 8)
    return `const t=(o>>>0)+(${s}>>>0),x=t|0,y=(p+${sh}+(t>4294967295?1:0))|0;`
  if (one.operation === 'add') return `const x=(o+${s})|0;`
  const call = `const x=atomic('${one.operation}',o,p,${s},${sh},r0,${h0})`
  return one.bytes === 8 ? `${call},y=H[0];` : `${call};`
}
