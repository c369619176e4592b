import { refused } from '@vring/layout'
import type { EbpfMapDefinition } from '../maps/ebpf-map.ts'
import { mapTypeOf } from '../maps/map-types.ts'
import type { Btf } from './btf.ts'
import { btfMap } from './btf-map.ts'
import { type ElfObject, type ElfSection, type ElfSymbol, STT_OBJECT, STT_SECTION } from './elf.ts'

/** A variable in a section of global variables. */
export interface ObjectVariable {
  readonly name: string
  /** Byte offset in the section's one value. */
  readonly offset: number
  readonly bytes: number
}

/** A slot of a prog array or a map of maps that the source fills. */
export interface ObjectSlot {
  readonly index: number
  /** Name of the function or map. */
  readonly name: string
}

/** A map as an object file declares it. */
export interface ObjectMap extends EbpfMapDefinition {
  /** Bytes that its first value starts with: a section of global variables. Zeros where the object has fewer. */
  readonly initial?: Uint8Array
  /** Variables of such a section. */
  readonly variables?: readonly ObjectVariable[]
  /** Entries that programs or maps of this object fill from the start. */
  readonly slots?: readonly ObjectSlot[]
  /** `by-name`: it lives under its name in the BPF file system, for every program that asks for it (LIBBPF_PIN_BY_NAME). */
  readonly pinning?: 'none' | 'by-name'
  /** Types of key and value in C, where the object has them. */
  readonly types?: { readonly key: string | undefined; readonly value: string | undefined }
}

const LEGACY_SECTION = 'maps'
const BTF_SECTION = '.maps'
/** type, key_size, value_size, max_entries, map_flags. */
const LEGACY_BYTES = 20

/** A place where code finds a map. Its definition is read when it is asked for: an object may declare maps without use. */
export interface MapPlace {
  readonly name: string
  /** A section of global variables: references go into its value. */
  readonly isData: boolean
  /** @throws VringError if the definition is malformed, or its type has no name */
  definition(): ObjectMap
}

/** The maps of an object, in the order of its sections. */
export interface MapTable {
  readonly places: readonly MapPlace[]
  named(name: string): MapPlace | undefined
  /** By section, and offset in it unless that is a section of variables. */
  locate(section: number, offset: number): MapPlace | undefined
}

/** Finds the maps of an object: `maps` (struct bpf_map_def), `.maps` (BTF) and sections of global variables. */
export function findMaps(elf: ElfObject, btf: () => Btf): MapTable {
  const places: MapPlace[] = []
  const bySymbol = new Map<string, MapPlace>()
  const bySection = new Map<number, MapPlace>()
  for (const section of elf.sections) {
    if (section.name === LEGACY_SECTION || section.name === BTF_SECTION) {
      for (const symbol of elf.symbolsOf(section.index)) {
        const key = `${section.index}:${symbol.value}`
        if (symbol.type === STT_SECTION || symbol.name === '' || bySymbol.has(key)) continue
        const place = declared(elf, section, symbol, btf)
        bySymbol.set(key, place)
        places.push(place)
      }
    } else if (isData(section)) {
      const place: MapPlace = { name: section.name, isData: true, definition: () => dataMap(elf, section) }
      bySection.set(section.index, place)
      places.push(place)
    }
  }
  // Of two with one name the first counts.
  const byName = new Map([...places].reverse().map((one) => [one.name, one]))
  return {
    places,
    named: (name) => byName.get(name),
    locate: (section, offset) => bySection.get(section) ?? bySymbol.get(`${section}:${offset}`),
  }
}

function declared(elf: ElfObject, section: ElfSection, symbol: ElfSymbol, btf: () => Btf): MapPlace {
  const definition =
    section.name === LEGACY_SECTION
      ? () => legacyMap(section, symbol.name, symbol.value)
      : () => btfMap(elf, btf(), symbol)
  return { name: symbol.name, isData: false, definition }
}

function isData({ name, size }: ElfSection): boolean {
  return size > 0 && /^\.(data|rodata|bss)(\.|$)/.test(name)
}

/** Global variables are an array of one value, as libbpf makes them. */
function dataMap(elf: ElfObject, section: ElfSection): ObjectMap {
  return {
    name: section.name,
    type: 'array',
    keyBytes: 4,
    valueBytes: section.size,
    maxEntries: 1,
    readOnly: section.name.startsWith('.rodata'),
    initial: section.bytes,
    variables: elf
      .symbolsOf(section.index)
      .filter(({ type, value, size }) => type === STT_OBJECT && size > 0 && value <= section.size - size)
      .map(({ name, value, size }) => ({ name, offset: value, bytes: size })),
  }
}

function legacyMap({ bytes }: ElfSection, name: string, offset: number): ObjectMap {
  if (offset + LEGACY_BYTES > bytes.length)
    throw refused('ERR_OUT_OF_RANGE', `map ${name}: offset`, offset, `0 to ${bytes.length - LEGACY_BYTES}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, LEGACY_BYTES)
  return {
    name,
    type: mapTypeOf(name, view.getUint32(0, true)),
    keyBytes: view.getUint32(4, true),
    valueBytes: view.getUint32(8, true),
    maxEntries: view.getUint32(12, true),
    flags: view.getUint32(16, true),
  }
}
