import { refused } from '@vring/layout'
import type { EbpfMapDefinition } from '../maps/ebpf-map.ts'
import { mapTypeOf } from '../maps/map-types.ts'
import { type Btf, type BtfType, KIND_STRUCT } from './btf.ts'
import type { ElfObject, ElfSymbol } from './elf.ts'
import type { ObjectMap, ObjectSlot } from './map-definitions.ts'
import { type MapLayout, typedLayout } from './map-layout.ts'

/** libbpf's LIBBPF_PIN_BY_NAME. */
const PIN_BY_NAME = 1
const POINTER_BYTES = 8
const PAGE_BYTES = 4096

/** A map that an anonymous struct declares: `__uint(type, ..)`, `__type(key, ..)`, `__array(values, ..)` and so on. */
export function btfMap(elf: ElfObject, btf: Btf, symbol: ElfSymbol): ObjectMap {
  const { name } = symbol
  const variable = btf.variable(name)
  const struct = variable === undefined ? undefined : btf.resolve(variable.sizeOrType)
  if (struct?.kind !== KIND_STRUCT)
    throw refused('ERR_INVALID_ARGUMENT', `map ${name}`, 'without a struct in .BTF', 'a variable of struct type')
  const definition = readStruct(btf, name, struct)
  const values = struct.members.find((one) => one.name === 'values')
  if (values === undefined) return definition
  const element = btf.resolve(btf.elementOf(values.type))
  const pointee = btf.resolve(element.sizeOrType)
  const slots = slotsOf(elf, symbol, (values.bitOffset ?? 0) / 8)
  // `__array(values, struct inner)` of a map of maps, `__array(values, int (void *))` of a prog array.
  if (pointee.kind !== KIND_STRUCT) return { ...definition, slots }
  return { ...definition, inner: readStruct(btf, `${name}.inner`, pointee), slots }
}

/** Integers in keys and values of a map that BTF declares. */
export function btfLayout(btf: Btf, name: string): MapLayout {
  const variable = btf.variable(name)
  const members = variable === undefined ? [] : btf.resolve(variable.sizeOrType).members
  const typeOf = (wanted: string): number => {
    const member = members.find((one) => one.name === wanted)
    return member === undefined ? 0 : btf.pointee(member.type)
  }
  return typedLayout(btf, typeOf('key'), typeOf('value'))
}

function readStruct(btf: Btf, name: string, struct: BtfType): ObjectMap & EbpfMapDefinition {
  const member = (wanted: string): number | undefined => struct.members.find((one) => one.name === wanted)?.type
  const number = (wanted: string): number => {
    const type = member(wanted)
    return type === undefined ? 0 : btf.encodedNumber(type)
  }
  const size = (typed: string, plain: string, fallback: number): number => {
    const type = member(typed)
    if (type !== undefined) return btf.sizeOf(btf.pointee(type))
    return member(plain) === undefined ? fallback : number(plain)
  }
  const text = (wanted: string): string | undefined => {
    const type = member(wanted)
    return type === undefined ? undefined : btf.describe(btf.pointee(type))
  }
  const type = mapTypeOf(name, number('type'))
  // Indices of programs, maps and perf events are 4 bytes; libbpf fills them in where the source leaves them out.
  const holdsIndices = type === 'prog-array' || type === 'perf-event-array' || type.endsWith('-of-maps')
  return {
    name,
    type,
    keyBytes: size('key', 'key_size', type === 'prog-array' || type === 'perf-event-array' ? 4 : 0),
    valueBytes: size('value', 'value_size', holdsIndices ? 4 : 0),
    maxEntries: type === 'ringbuf' ? ringBufferBytes(number('max_entries')) : number('max_entries'),
    flags: number('map_flags'),
    pinning: number('pinning') === PIN_BY_NAME ? 'by-name' : 'none',
    types: { key: text('key'), value: text('value') },
  }
}

/** A power of two of pages, as the kernel wants it: source libbpf, adjust_ringbuf_sz. 0 stays, to be refused. */
function ringBufferBytes(wanted: number): number {
  if (wanted === 0) return 0
  let bytes = PAGE_BYTES
  while (bytes < wanted) bytes *= 2
  return bytes
}

/** What relocations put into the array `values`, which starts `offset` bytes into the map's struct. */
function slotsOf(elf: ElfObject, { section, value, size }: ElfSymbol, offset: number): ObjectSlot[] {
  const start = value + offset
  return elf
    .relocations(section)
    .filter((one) => one.offset >= start && one.offset < value + size)
    .map((one) => ({ index: (one.offset - start) / POINTER_BYTES, name: one.symbol.name }))
}
