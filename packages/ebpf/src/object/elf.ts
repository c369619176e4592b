import { refused, VringError } from '@vring/layout'
import { StringTable } from './string-table.ts'

/** A section of an ELF object. */
export interface ElfSection {
  readonly index: number
  readonly name: string
  readonly type: number
  readonly flags: number
  /** Contents; of a section without contents in the file (SHT_NOBITS) only the size counts. */
  readonly bytes: Uint8Array
  readonly size: number
  /** Section that this one is about: relocations name what they patch. */
  readonly info: number
  readonly link: number
}

export interface ElfSymbol {
  readonly name: string
  /** Section it lies in; 0: undefined, imported from elsewhere. */
  readonly section: number
  /** Byte offset in the section. */
  readonly value: number
  readonly size: number
  readonly type: number
  /** Not to be seen by other objects (STV_HIDDEN, STV_INTERNAL): of functions, libbpf makes these static ones. */
  readonly isHidden: boolean
}

export interface ElfRelocation {
  /** Byte offset in the patched section. */
  readonly offset: number
  readonly type: number
  readonly symbol: ElfSymbol
}

export interface ElfObject {
  readonly sections: readonly ElfSection[]
  readonly symbols: readonly ElfSymbol[]
  /** Symbols that lie in a section. */
  symbolsOf(section: number): readonly ElfSymbol[]
  /** Relocations of a section, in the order of the file. */
  relocations(section: number): readonly ElfRelocation[]
}

// Field values, ELF-64 object file format version 1.5.
export const SHF_EXECINSTR = 4
export const STT_OBJECT = 1
export const STT_FUNC = 2
export const STT_SECTION = 3
const STV_INTERNAL = 1
const STV_HIDDEN = 2
const SHT_SYMTAB = 2
const SHT_NOBITS = 8
const SHT_REL = 9
const EM_BPF = 247
const HEADER_BYTES = 64
const SECTION_HEADER_BYTES = 64
const SYMBOL_BYTES = 24
const REL_BYTES = 16
const STRINGS = 'string table'

/**
 * Reads a little-endian ELF64 relocatable object for BPF. Works on a copy: `slice` of a Buffer is a view of the caller's
 * memory, and shared memory may change while it is read.
 *
 * @throws VringError naming the field
 */
export function readElf(source: Uint8Array): ElfObject {
  const file = new Uint8Array(source)
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  checkHeader(file, view)
  const sections = readSections(file, view)
  const symtab = sections.find(({ type }) => type === SHT_SYMTAB)
  const symbols = symtab === undefined ? [] : readSymbols(symtab, sections)
  const symbolsBySection = groupBy(symbols, ({ section }) => section)
  const relocationSections = groupBy(
    sections.filter(({ type }) => type === SHT_REL),
    ({ info }) => info,
  )
  const read = new Map<number, readonly ElfRelocation[]>()
  return {
    sections,
    symbols,
    symbolsOf: (section) => symbolsBySection.get(section) ?? [],
    relocations: (section) => {
      const known = read.get(section)
      if (known !== undefined) return known
      const found = (relocationSections.get(section) ?? []).flatMap((one) => readRelocations(one, symbols))
      read.set(section, found)
      return found
    },
  }
}

function groupBy<T>(all: readonly T[], keyOf: (one: T) => number): ReadonlyMap<number, readonly T[]> {
  const groups = new Map<number, T[]>()
  for (const one of all) {
    const key = keyOf(one)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [one])
    else group.push(one)
  }
  return groups
}

function checkHeader(file: Uint8Array, view: DataView): void {
  if (file.length < HEADER_BYTES || view.getUint32(0, false) !== 0x7f454c46)
    throw refused('ERR_INVALID_ARGUMENT', 'ELF object', `${file.length} bytes without the ELF magic`, 'an ELF64 object')
  if (file[4] !== 2) throw refused('ERR_UNSUPPORTED', 'ELF class', file[4], '2 (64-bit)')
  if (file[5] !== 1) throw refused('ERR_UNSUPPORTED', 'ELF byte order', file[5], '1 (little-endian: clang -target bpf)')
  const machine = view.getUint16(18, true)
  if (machine !== EM_BPF) throw refused('ERR_UNSUPPORTED', 'ELF machine', machine, `${EM_BPF} (BPF)`)
}

/** An offset or size of 64 bits that must be a position in the file. */
function position(view: DataView, at: number, field: string): number {
  const value = Number(view.getBigUint64(at, true))
  if (!Number.isSafeInteger(value)) throw refused('ERR_OUT_OF_RANGE', field, value, 'a position in the file')
  return value
}

/** Bytes of a file; refuses what reaches past its end. */
function slice(file: Uint8Array, at: number, bytes: number, field: string): Uint8Array {
  if (at > file.length || bytes > file.length - at)
    throw new VringError(
      'ERR_OUT_OF_RANGE',
      `${field} (${bytes} bytes at ${at}) reaches beyond the ${file.length} bytes given`,
      {
        field,
      },
    )
  return file.subarray(at, at + bytes)
}

function readSections(file: Uint8Array, view: DataView): ElfSection[] {
  const at = position(view, 40, 'e_shoff')
  const count = view.getUint16(60, true)
  const names = view.getUint16(62, true)
  if (view.getUint16(58, true) !== SECTION_HEADER_BYTES)
    throw refused('ERR_INVALID_ARGUMENT', 'e_shentsize', view.getUint16(58, true), String(SECTION_HEADER_BYTES))
  slice(file, at, count * SECTION_HEADER_BYTES, 'section headers')
  const nameOffsets: number[] = []
  const sections = Array.from({ length: count }, (_, index): ElfSection => {
    const header = at + index * SECTION_HEADER_BYTES
    const type = view.getUint32(header + 4, true)
    const size = position(view, header + 32, 'sh_size')
    const bytes =
      type === SHT_NOBITS
        ? new Uint8Array(0)
        : slice(file, position(view, header + 24, 'sh_offset'), size, `section ${index}`)
    nameOffsets.push(view.getUint32(header, true))
    return {
      index,
      name: '',
      type,
      flags: Number(view.getBigUint64(header + 8, true) & 0xffffffffn),
      bytes,
      size,
      link: view.getUint32(header + 40, true),
      info: view.getUint32(header + 44, true),
    }
  })
  refuseOverlaps(sections)
  const strings = new StringTable(sections[names]?.bytes ?? new Uint8Array(0), STRINGS)
  return sections.map((section, index) => ({ ...section, name: strings.at(nameOffsets[index]!) }))
}

/**
 * Sections that share bytes of the file are no compiler's work. Without them, all sections together are no longer than
 * the file, which bounds what reading them takes.
 */
function refuseOverlaps(sections: readonly ElfSection[]): void {
  const filled = sections.filter(({ bytes }) => bytes.length > 0)
  filled.sort((a, b) => a.bytes.byteOffset - b.bytes.byteOffset)
  for (const [i, { index, bytes }] of filled.entries()) {
    const next = filled[i + 1]
    if (next !== undefined && next.bytes.byteOffset < bytes.byteOffset + bytes.length)
      throw refused(
        'ERR_INVALID_ARGUMENT',
        `section ${index}: bytes`,
        `those of section ${next.index} as well`,
        'bytes of its own',
      )
  }
}

function readSymbols(symtab: ElfSection, sections: readonly ElfSection[]): ElfSymbol[] {
  const { bytes } = symtab
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const strings = new StringTable(sections[symtab.link]?.bytes ?? new Uint8Array(0), STRINGS)
  return Array.from({ length: Math.floor(bytes.length / SYMBOL_BYTES) }, (_, index) => {
    const at = index * SYMBOL_BYTES
    const section = view.getUint16(at + 6, true)
    const info = view.getUint8(at + 4)
    const type = info & 0xf
    const visibility = view.getUint8(at + 5) & 3
    const name = strings.at(view.getUint32(at, true))
    return {
      name: type === STT_SECTION ? (sections[section]?.name ?? name) : name,
      section,
      value: position(view, at + 8, 'st_value'),
      size: position(view, at + 16, 'st_size'),
      type,
      isHidden: visibility === STV_HIDDEN || visibility === STV_INTERNAL,
    }
  })
}

function readRelocations(section: ElfSection, symbols: readonly ElfSymbol[]): ElfRelocation[] {
  const { bytes } = section
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: Math.floor(bytes.length / REL_BYTES) }, (_, index) => {
    const at = index * REL_BYTES
    const number = view.getUint32(at + 12, true)
    const symbol = symbols[number]
    if (symbol === undefined)
      throw refused(
        'ERR_OUT_OF_RANGE',
        `${section.name} relocation ${index}: symbol`,
        number,
        `0 to ${symbols.length - 1}`,
      )
    return { offset: position(view, at, 'r_offset'), type: view.getUint32(at + 8, true), symbol }
  })
}
