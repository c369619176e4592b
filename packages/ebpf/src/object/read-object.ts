import { refused, VringError } from '@vring/layout'
import { Btf } from './btf.ts'
import { btfLayout } from './btf-map.ts'
import { type ElfObject, type ElfSymbol, readElf, SHF_EXECINSTR, STT_FUNC } from './elf.ts'
import { type GlobalFunction, globalFunction } from './global-function.ts'
import { type LinkedProgram, Linker } from './linker.ts'
import { findMaps, type MapPlace, type ObjectMap } from './map-definitions.ts'
import { type MapLayout, plainLayout, variablesLayout } from './map-layout.ts'
import { readSourceLines, type SectionLines } from './source-lines.ts'
import { stringAt } from './string-table.ts'
import { readTypeInfo, type TypeInfo } from './type-info.ts'

/** A program of an object file. */
export interface ObjectProgram {
  /** Name of the function. */
  readonly name: string
  /** Section that it is in: `xdp`, `xdp/name`, `tc`, ... */
  readonly section: string
  /**
   * Puts it together: its instructions with the functions that it calls after them, and the maps that they refer to. Only
   * what the program reaches is read.
   *
   * @throws VringError naming the function, relocation or map that is malformed or not supported
   */
  link(): LinkedProgram
}

/** What an object file holds. */
export interface EbpfObject {
  /** Contents of the `license` section, if there is one. */
  readonly license?: string
  readonly programs: readonly ObjectProgram[]
  /** Names of all maps, sections of global variables among them. */
  readonly mapNames: readonly string[]
  /** Types, for the kernel; undefined where the object has none. @throws VringError if they are malformed */
  typeInfo(): TypeInfo | undefined
  /** Lines of the source by section, for `sourceLineAt`; none where the object has none. @throws VringError if malformed */
  sourceLines(): ReadonlyMap<string, SectionLines>
  /** @throws VringError if there is none of that name, or its definition is malformed */
  map(name: string): ObjectMap
  /**
   * Where integers lie in its keys and values, by the names of BTF; without types, what sizes tell.
   *
   * @throws VringError as {@link map}, or if types are malformed
   */
  layout(name: string): MapLayout
}

/**
 * Reads what `clang -target bpf -O2 -c` wrote: every function outside of `.text` is a program. Programs and maps are read
 * when they are asked for: an object may hold more than is used here.
 *
 * @throws VringError naming the section or symbol that is malformed
 */
export function readObject(file: Uint8Array): EbpfObject {
  const elf = readElf(file)
  let read: Btf | undefined
  const btf = (): Btf => {
    read ??= new Btf(section(elf, '.BTF', 'maps are declared in .maps: compile with -g').bytes)
    return read
  }
  const table = findMaps(elf, btf)
  const definitions = new Map<MapPlace, ObjectMap>()
  const define = (place: MapPlace): ObjectMap => {
    const known = definitions.get(place) ?? place.definition()
    definitions.set(place, known)
    return known
  }
  const functions = elf.symbols.filter((symbol) => symbol.type === STT_FUNC && isCode(elf, symbol.section))
  const byPlace = new Map(functions.map((one) => [`${one.section}:${one.value}`, one]))
  const entries = functions.filter((symbol) => elf.sections[symbol.section]!.name !== '.text')
  let info: { readonly types: TypeInfo | undefined } | undefined
  const typeInfo = (): TypeInfo | undefined => {
    info ??= { types: readTypeInfo(elf) }
    return info.types
  }
  const declare = (section: string, { value, isHidden }: ElfSymbol): GlobalFunction | undefined => {
    const type = isHidden ? undefined : typeInfo()?.functionType(section, value)
    return type === undefined ? undefined : globalFunction(btf(), type)
  }
  const map = (name: string): ObjectMap => {
    const place = table.named(name)
    if (place === undefined)
      throw refused('ERR_UNKNOWN_NAME', 'map', name, table.places.map((one) => one.name).join(', '))
    return define(place)
  }
  const hasTypes = elf.sections.some(({ name }) => name === '.BTF')
  const license = elf.sections.find(({ name }) => name === 'license')
  return {
    ...(license === undefined ? {} : { license: stringAt(license.bytes, 0, 'license') }),
    programs: entries.map((entry) => ({
      name: entry.name,
      section: elf.sections[entry.section]!.name,
      link: () => new Linker(elf, table, define, byPlace, declare).link(entry),
    })),
    mapNames: table.places.map(({ name }) => name),
    typeInfo,
    sourceLines: () => readSourceLines(elf),
    map,
    layout: (name) => {
      const definition = map(name)
      if (definition.variables !== undefined) return variablesLayout(hasTypes ? btf() : undefined, definition)
      const declared = hasTypes ? btfLayout(btf(), name) : undefined
      const plain = plainLayout(definition)
      return {
        key: declared?.key.length ? declared.key : plain.key,
        value: declared?.value.length ? declared.value : plain.value,
      }
    },
  }
}

function section(elf: ElfObject, name: string, why: string): ElfObject['sections'][number] {
  const found = elf.sections.find((one) => one.name === name)
  if (found === undefined)
    throw new VringError('ERR_INVALID_ARGUMENT', `the object has no ${name}, but ${why}`, { field: name })
  return found
}

function isCode(elf: ElfObject, number: number): boolean {
  return ((elf.sections[number]?.flags ?? 0) & SHF_EXECINSTR) !== 0
}
