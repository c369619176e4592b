import { VringError } from '@vring/layout'
import { KIND_DATASEC, KIND_FUNC } from './btf.ts'
import { BtfSection, extRecords, TYPE_BYTES, viewOf } from './btf-section.ts'
import { type ElfObject, type ElfSection, STT_FUNC } from './elf.ts'

/** What the kernel is told of a program's types: it wants to know the functions that helpers call. */
export interface TypeInfo {
  /** The `.BTF` section, with sizes and places in sections of variables, which clang leaves open. */
  readonly btf: Uint8Array
  /** Number of the type of the function at a byte offset of a section, or undefined. */
  functionType(section: string, offset: number): number | undefined
}

/** Bytes of one variable of a section of variables. Source: Linux Documentation/bpf/btf.rst. */
const VARIABLE_BYTES = 12
const FUNC_INFO_AT = 8
const FUNC_INFO_BYTES = 8

/** Reads `.BTF` and `.BTF.ext`. @returns undefined where the object has none @throws VringError if they are malformed */
export function readTypeInfo(elf: ElfObject): TypeInfo | undefined {
  const btf = elf.sections.find(({ name }) => name === '.BTF')
  const ext = elf.sections.find(({ name }) => name === '.BTF.ext')
  if (btf === undefined || ext === undefined) return undefined
  try {
    const section = new BtfSection(new Uint8Array(btf.bytes))
    const functions = readFunctions(ext, section)
    settleSections(elf, section)
    hideFunctions(elf, section, functions)
    return {
      btf: section.bytes,
      functionType: (section, offset) => functions.get(`${section}:${offset}`),
    }
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new VringError('ERR_INVALID_ARGUMENT', '.BTF or .BTF.ext section is truncated', { field: '.BTF.ext', cause })
  }
}

/** func_info of `.BTF.ext`: records of a byte offset and a type. */
function readFunctions(ext: ElfSection, btf: BtfSection): ReadonlyMap<string, number> {
  const view = viewOf(ext.bytes)
  const functions = new Map<string, number>()
  for (const { section, at } of extRecords(ext, btf, FUNC_INFO_AT, FUNC_INFO_BYTES))
    functions.set(`${section}:${view.getUint32(at, true)}`, view.getUint32(at + 4, true))
  return functions
}

/**
 * Functions that other objects do not see are static ones. Source: libbpf, bpf_program_fixup_func_info and
 * mark_btf_static.
 */
function hideFunctions(elf: ElfObject, btf: BtfSection, functions: ReadonlyMap<string, number>): void {
  const hidden = new Set(
    elf.symbols
      .filter((one) => one.isHidden && one.type === STT_FUNC)
      .map((one) => functions.get(`${elf.sections[one.section]?.name}:${one.value}`)),
  )
  if (hidden.size === 0) return
  for (const { at, kind, number } of btf.types())
    if (kind === KIND_FUNC && hidden.has(number)) btf.view.setUint32(at + 4, kind << 24, true)
}

/** Fills in the size of each section of variables, and where its variables lie. Source: libbpf, btf_fixup_datasec. */
function settleSections(elf: ElfObject, btf: BtfSection): void {
  const { view } = btf
  const typesAt = new Map<number, number>()
  const sections = new Map(elf.sections.map((one) => [one.name, one]))
  const placesOf = new Map<ElfSection, ReadonlyMap<string, number>>()
  for (const { at, kind, count, number } of btf.types()) {
    typesAt.set(number, at)
    if (kind !== KIND_DATASEC) continue
    const section = sections.get(btf.text(at))
    if (section === undefined) continue
    view.setUint32(at + 8, section.size, true)
    const places =
      placesOf.get(section) ??
      new Map(elf.symbolsOf(section.index).map((symbol): [string, number] => [symbol.name, symbol.value]))
    placesOf.set(section, places)
    for (let i = 0; i < count; i++) {
      const variable = at + TYPE_BYTES + i * VARIABLE_BYTES
      const typeAt = typesAt.get(view.getUint32(variable, true))
      const place = typeAt === undefined ? undefined : places.get(btf.text(typeAt))
      if (place !== undefined) view.setUint32(variable + 4, place, true)
    }
  }
}
