import { refused, VringError } from '@vring/layout'
import type { EbpfMapDefinition, EbpfMapType } from '../maps/ebpf-map.ts'
import { Btf, KIND_STRUCT, KIND_VAR } from './btf.ts'
import { type ElfObject, type ElfSection, STT_SECTION } from './elf.ts'

/** A map as an object file declares it. */
export interface ObjectMap extends EbpfMapDefinition {
  /** Bytes that its first value starts with: a section of global variables. */
  readonly initial?: Uint8Array
  /** Flags that BPF_MAP_CREATE takes (`map_flags`); default 0. */
  readonly flags?: number
}

/** Numbers of the map types. Source: Linux include/uapi/linux/bpf.h, enum bpf_map_type. */
const MAP_TYPES: Readonly<Record<number, EbpfMapType>> = {
  1: 'hash',
  2: 'array',
  6: 'percpu-array',
  9: 'lru-hash',
  14: 'devmap',
  17: 'xskmap',
}
const LEGACY_SECTION = 'maps'
const BTF_SECTION = '.maps'
/** type, key_size, value_size, max_entries, map_flags. */
const LEGACY_BYTES = 20

/** Where the object's code finds a map: by symbol (section and offset), or by section (global variables). */
export interface MapTable {
  readonly maps: readonly ObjectMap[]
  /** @returns index into `maps` and whether it is a section of variables, or undefined */
  locate(section: number, offset: number): { readonly index: number; readonly isData: boolean } | undefined
}

/** Collects the maps of an object: `maps` (struct bpf_map_def), `.maps` (BTF) and sections of global variables. */
export function readMaps(elf: ElfObject): MapTable {
  const maps: ObjectMap[] = []
  const bySymbol = new Map<string, number>()
  const bySection = new Map<number, number>()
  for (const section of elf.sections) {
    if (section.name === LEGACY_SECTION || section.name === BTF_SECTION) {
      for (const symbol of elf.symbols) {
        if (symbol.section !== section.index || symbol.type === STT_SECTION || symbol.name === '') continue
        bySymbol.set(`${section.index}:${symbol.value}`, maps.length)
        maps.push(
          section.name === LEGACY_SECTION ? legacyMap(section, symbol.name, symbol.value) : btfMap(elf, symbol.name),
        )
      }
    } else if (isData(section)) {
      bySection.set(section.index, maps.length)
      maps.push(dataMap(section))
    }
  }
  return {
    maps,
    locate(section, offset) {
      const data = bySection.get(section)
      if (data !== undefined) return { index: data, isData: true }
      const index = bySymbol.get(`${section}:${offset}`)
      return index === undefined ? undefined : { index, isData: false }
    },
  }
}

function isData({ name, size }: ElfSection): boolean {
  return size > 0 && /^\.(data|rodata|bss)(\.|$)/.test(name)
}

/** Global variables are an array of one value, as libbpf makes them. */
function dataMap(section: ElfSection): ObjectMap {
  return {
    name: section.name,
    type: 'array',
    keyBytes: 4,
    valueBytes: section.size,
    maxEntries: 1,
    readOnly: section.name.startsWith('.rodata'),
    initial: section.bytes,
  }
}

function mapType(name: string, number: number): EbpfMapType {
  const type = MAP_TYPES[number]
  if (type !== undefined) return type
  const known = Object.entries(MAP_TYPES).map(([value, text]) => `${text} (${value})`)
  throw refused('ERR_UNSUPPORTED', `map ${name}: type`, number, known.join(', '))
}

function legacyMap({ bytes }: ElfSection, name: string, offset: number): ObjectMap {
  if (offset + LEGACY_BYTES > bytes.length)
    throw refused('ERR_OUT_OF_RANGE', `map ${name}: offset`, offset, `0 to ${bytes.length - LEGACY_BYTES}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, LEGACY_BYTES)
  return {
    name,
    type: mapType(name, view.getUint32(0, true)),
    keyBytes: view.getUint32(4, true),
    valueBytes: view.getUint32(8, true),
    maxEntries: view.getUint32(12, true),
    flags: view.getUint32(16, true),
  }
}

/** The anonymous struct that declares a map: `__uint(type, ..)`, `__type(key, ..)` and so on. */
function btfMap(elf: ElfObject, name: string): ObjectMap {
  const section = elf.sections.find((one) => one.name === '.BTF')
  if (section === undefined)
    throw new VringError(
      'ERR_INVALID_ARGUMENT',
      `map ${name} is declared in .maps, but the object has no .BTF: compile with -g`,
      {
        field: '.BTF',
      },
    )
  const btf = new Btf(section.bytes)
  const variable = btf.types.find((type) => type.kind === KIND_VAR && type.name === name)
  const struct = variable === undefined ? undefined : btf.resolve(variable.sizeOrType)
  if (struct?.kind !== KIND_STRUCT)
    throw refused('ERR_INVALID_ARGUMENT', `map ${name}`, 'without a struct in .BTF', 'a variable of struct type')
  const member = (wanted: string): number | undefined => struct.members.find((one) => one.name === wanted)?.type
  const number = (wanted: string): number => {
    const type = member(wanted)
    return type === undefined ? 0 : btf.encodedNumber(type)
  }
  const size = (typed: string, plain: string): number => {
    const type = member(typed)
    return type === undefined ? number(plain) : btf.sizeOf(btf.pointee(type))
  }
  return {
    name,
    type: mapType(name, number('type')),
    keyBytes: size('key', 'key_size'),
    valueBytes: size('value', 'value_size'),
    maxEntries: number('max_entries'),
    flags: number('map_flags'),
  }
}
