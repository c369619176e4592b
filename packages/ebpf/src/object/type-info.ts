import { VringError } from '@vring/layout'
import { type ElfObject, type ElfSection, STT_FUNC, stringAt } from './elf.ts'

/** What the kernel is told of a program's types: it wants to know the functions that helpers call. */
export interface TypeInfo {
  /** The `.BTF` section, with sizes and places in sections of variables, which clang leaves open. */
  readonly btf: Uint8Array
  /** Number of the type of the function at a byte offset of a section, or undefined. */
  functionType(section: string, offset: number): number | undefined
}

const KIND_FUNC = 12
const KIND_DATASEC = 15
/** Bytes of a type, and of one variable of a section of variables. Source: Linux Documentation/bpf/btf.rst. */
const TYPE_BYTES = 12
const VARIABLE_BYTES = 12
/** Bytes that follow a type once, and for each of its entries. */
const EXTRA_BYTES: Readonly<Record<number, number>> = { 1: 4, 3: 12, 14: 4, 17: 4 }
const ENTRY_BYTES: Readonly<Record<number, number>> = { 4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12 }

/** Reads `.BTF` and `.BTF.ext`. @returns undefined where the object has none @throws VringError if they are malformed */
export function readTypeInfo(elf: ElfObject): TypeInfo | undefined {
  const btf = elf.sections.find(({ name }) => name === '.BTF')
  const ext = elf.sections.find(({ name }) => name === '.BTF.ext')
  if (btf === undefined || ext === undefined) return undefined
  try {
    const strings = stringsOf(btf.bytes)
    const functions = readFunctions(ext, strings)
    return {
      btf: hideFunctions(elf, settleSections(elf, btf.bytes, strings), functions),
      functionType: (section, offset) => functions.get(`${section}:${offset}`),
    }
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new VringError('ERR_INVALID_ARGUMENT', '.BTF or .BTF.ext section is truncated', { field: '.BTF.ext', cause })
  }
}

function stringsOf(btf: Uint8Array): Uint8Array {
  const view = new DataView(btf.buffer, btf.byteOffset, btf.byteLength)
  const start = view.getUint32(4, true) + view.getUint32(16, true)
  return btf.subarray(start, start + view.getUint32(20, true))
}

/** func_info of `.BTF.ext`: per section, records of a byte offset and a type. */
function readFunctions({ bytes }: ElfSection, strings: Uint8Array): ReadonlyMap<string, number> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const functions = new Map<string, number>()
  let at = view.getUint32(4, true) + view.getUint32(8, true)
  const end = at + view.getUint32(12, true)
  const recordBytes = Math.max(view.getUint32(at, true), 8)
  for (at += 4; at < end; ) {
    const section = stringAt(strings, view.getUint32(at, true), '.BTF')
    const count = view.getUint32(at + 4, true)
    at += 8
    if (count * recordBytes > bytes.length - at) throw new RangeError('func_info')
    for (let i = 0; i < count; i++, at += recordBytes)
      functions.set(`${section}:${view.getUint32(at, true)}`, view.getUint32(at + 4, true))
  }
  return functions
}

/** Functions that other objects do not see are static ones. Source: libbpf, bpf_program_fixup_func_info and mark_btf_static. */
function hideFunctions(elf: ElfObject, btf: Uint8Array, functions: ReadonlyMap<string, number>): Uint8Array {
  const hidden = new Set(
    elf.symbols
      .filter((one) => one.isHidden && one.type === STT_FUNC)
      .map((one) => functions.get(`${elf.sections[one.section]?.name}:${one.value}`)),
  )
  if (hidden.size === 0) return btf
  const view = new DataView(btf.buffer)
  const start = view.getUint32(4, true) + view.getUint32(8, true)
  const end = start + view.getUint32(12, true)
  for (let at = start, number = 1; at < end; number++) {
    const info = view.getUint32(at + 4, true)
    const kind = (info >>> 24) & 0x1f
    if (kind === KIND_FUNC && hidden.has(number)) view.setUint32(at + 4, kind << 24, true)
    at += TYPE_BYTES + (EXTRA_BYTES[kind] ?? 0) + (info & 0xffff) * (ENTRY_BYTES[kind] ?? 0)
  }
  return btf
}

/** Fills in the size of each section of variables, and where its variables lie. Source: libbpf, btf_fixup_datasec. */
function settleSections(elf: ElfObject, original: Uint8Array, strings: Uint8Array): Uint8Array {
  const btf = new Uint8Array(original)
  const view = new DataView(btf.buffer)
  const names = new Map<number, number>()
  const sections = new Map(elf.sections.map((one) => [one.name, one]))
  const placesOf = new Map<ElfSection, ReadonlyMap<string, number>>()
  const start = view.getUint32(4, true) + view.getUint32(8, true)
  const end = start + view.getUint32(12, true)
  for (let at = start, number = 1; at < end; number++) {
    const info = view.getUint32(at + 4, true)
    const kind = (info >>> 24) & 0x1f
    const count = info & 0xffff
    names.set(number, view.getUint32(at, true))
    if (kind === KIND_DATASEC) {
      const name = stringAt(strings, view.getUint32(at, true), '.BTF')
      const section = sections.get(name)
      if (section !== undefined) {
        view.setUint32(at + 8, section.size, true)
        const places =
          placesOf.get(section) ??
          new Map(elf.symbolsOf(section.index).map((symbol): [string, number] => [symbol.name, symbol.value]))
        placesOf.set(section, places)
        for (let i = 0; i < count; i++) {
          const variable = at + TYPE_BYTES + i * VARIABLE_BYTES
          const symbol = stringAt(strings, names.get(view.getUint32(variable, true)) ?? 0, '.BTF')
          view.setUint32(variable + 4, places.get(symbol) ?? view.getUint32(variable + 4, true), true)
        }
      }
    }
    at += TYPE_BYTES + (EXTRA_BYTES[kind] ?? 0) + count * (ENTRY_BYTES[kind] ?? 0)
  }
  return btf
}
