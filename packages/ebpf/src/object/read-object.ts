import { refused, VringError } from '@vring/layout'
import { SLOT_BYTES } from '../isa/decode.ts'
import { type ElfObject, type ElfSymbol, readElf, SHF_EXECINSTR, STT_FUNC, stringAt } from './elf.ts'
import { type MapTable, type ObjectMap, readMaps } from './map-definitions.ts'

/** A program of an object file: its instructions with the subprograms that it calls behind them. */
export interface ObjectProgram {
  /** Name of the function. */
  readonly name: string
  /** Section that it was in: `xdp`, `xdp/name`, ... */
  readonly section: string
  /** Linked instructions: maps by index, calls by distance. */
  readonly code: Uint8Array
}

/** What an object file holds. */
export interface EbpfObject {
  /** Contents of the `license` section, if there is one. */
  readonly license?: string
  readonly maps: readonly ObjectMap[]
  readonly programs: readonly ObjectProgram[]
}

// Instruction fields that linking patches, RFC 9669 sections 4.3 and 5.4.
const OPCODE_LD_IMM64 = 0x18
const OPCODE_CALL = 0x85
const SOURCE_MAP = 1
const SOURCE_MAP_VALUE = 2
const SOURCE_CALL = 1
/** Functions that one program may pull in: a bound for malformed input. */
const FUNCTIONS_MAX = 256

/** A function in its section. */
interface FunctionCode {
  readonly symbol: ElfSymbol
  readonly bytes: Uint8Array
}

/**
 * Reads what `clang -target bpf -O2 -c` wrote: every function outside of `.text` becomes a program, functions that it
 * calls are linked behind it, references to maps and global variables become map numbers.
 *
 * @throws VringError naming the section, symbol or relocation that is not supported
 */
export function readObject(file: Uint8Array): EbpfObject {
  const elf = readElf(file)
  const table = readMaps(elf)
  const functions = elf.symbols.filter((symbol) => symbol.type === STT_FUNC && isCode(elf, symbol.section))
  const entries = functions.filter((symbol) => elf.sections[symbol.section]!.name !== '.text')
  const programs = entries.map((entry): ObjectProgram => {
    const linker = new Linker(elf, table, functions)
    return { name: entry.name, section: elf.sections[entry.section]!.name, code: linker.link(entry) }
  })
  const license = elf.sections.find(({ name }) => name === 'license')
  return {
    maps: table.maps,
    programs,
    ...(license === undefined ? {} : { license: stringAt(license.bytes, 0) }),
  }
}

function isCode(elf: ElfObject, section: number): boolean {
  return ((elf.sections[section]?.flags ?? 0) & SHF_EXECINSTR) !== 0
}

class Linker {
  readonly #elf: ElfObject
  readonly #table: MapTable
  readonly #functions: readonly ElfSymbol[]
  /** Slot at which a linked function starts. */
  readonly #placed = new Map<ElfSymbol, number>()
  readonly #chosen: FunctionCode[] = []
  #slots = 0

  constructor(elf: ElfObject, table: MapTable, functions: readonly ElfSymbol[]) {
    this.#elf = elf
    this.#table = table
    this.#functions = functions
  }

  link(entry: ElfSymbol): Uint8Array {
    this.#place(entry)
    // The list grows while it is walked: a function may call another one.
    for (let i = 0; i < this.#chosen.length; i++) this.#relocate(this.#chosen[i]!)
    const code = new Uint8Array(this.#slots * SLOT_BYTES)
    for (const { symbol, bytes } of this.#chosen) code.set(bytes, this.#placed.get(symbol)! * SLOT_BYTES)
    return code
  }

  /** @returns the slot that the function starts at */
  #place(symbol: ElfSymbol): number {
    const known = this.#placed.get(symbol)
    if (known !== undefined) return known
    if (this.#chosen.length === FUNCTIONS_MAX)
      throw refused('ERR_OUT_OF_RANGE', 'functions of a program', FUNCTIONS_MAX + 1, `1 to ${FUNCTIONS_MAX}`)
    const section = this.#elf.sections[symbol.section]!
    const { value, size } = symbol
    if (value % SLOT_BYTES !== 0 || size % SLOT_BYTES !== 0 || size === 0 || size > section.bytes.length - value)
      throw refused(
        'ERR_INVALID_ARGUMENT',
        `function ${symbol.name}`,
        `${size} bytes at ${value}`,
        `whole slots of section ${section.name}`,
      )
    const start = this.#slots
    this.#placed.set(symbol, start)
    this.#chosen.push({ symbol, bytes: section.bytes.slice(value, value + size) })
    this.#slots += size / SLOT_BYTES
    return start
  }

  /** Resolves what a function refers to: relocated operands, and calls within its section that have no relocation. */
  #relocate({ symbol, bytes }: FunctionCode): void {
    const view = new DataView(bytes.buffer)
    const relocations = new Map(
      this.#elf
        .relocations(symbol.section)
        .filter(({ offset }) => offset >= symbol.value && offset < symbol.value + symbol.size)
        .map((one) => [one.offset - symbol.value, one.symbol]),
    )
    for (let at = 0; at < bytes.length; at += SLOT_BYTES) {
      const target = relocations.get(at)
      const opcode = bytes[at]
      if (opcode === OPCODE_CALL && bytes[at + 1]! >> 4 === SOURCE_CALL) this.#call(symbol, view, at, target)
      else if (target !== undefined && opcode === OPCODE_LD_IMM64 && at + 2 * SLOT_BYTES <= bytes.length)
        this.#reference(symbol, view, at, target)
      else if (target !== undefined)
        throw this.#unsupported(symbol, at, `a relocation of opcode 0x${opcode!.toString(16)}`)
      if (opcode === OPCODE_LD_IMM64) at += SLOT_BYTES
    }
  }

  #call(caller: ElfSymbol, view: DataView, at: number, target: ElfSymbol | undefined): void {
    // The immediate counts slots from the next instruction; against a relocation, from the symbol, biased by one slot.
    const distance = (view.getInt32(at + 4, true) + 1) * SLOT_BYTES
    const section = target === undefined ? caller.section : target.section
    const offset =
      target === undefined
        ? caller.value + at + distance
        : target.type === STT_FUNC
          ? target.value
          : target.value + distance
    const callee = this.#functions.find((one) => one.section === section && one.value === offset)
    if (callee === undefined) throw this.#unsupported(caller, at, `a call of ${target?.name ?? 'no function'}`)
    const here = this.#placed.get(caller)! + at / SLOT_BYTES
    view.setInt32(at + 4, this.#place(callee) - here - 1, true)
  }

  /** A 64-bit immediate that names a map, or a variable in a section that became one. */
  #reference(user: ElfSymbol, view: DataView, at: number, target: ElfSymbol): void {
    const addend = view.getInt32(at + 4, true)
    const found = this.#table.locate(target.section, target.value + addend)
    if (found === undefined) throw this.#unsupported(user, at, `a reference to ${target.name}`)
    const destination = view.getUint8(at + 1) & 0xf
    view.setUint8(at + 1, destination | ((found.isData ? SOURCE_MAP_VALUE : SOURCE_MAP) << 4))
    view.setInt32(at + 4, found.index, true)
    view.setInt32(at + SLOT_BYTES + 4, found.isData ? target.value + addend : 0, true)
  }

  #unsupported(symbol: ElfSymbol, at: number, what: string): VringError {
    return new VringError(
      'ERR_UNSUPPORTED',
      `function ${symbol.name}, instruction ${at / SLOT_BYTES}: ${what} can't be linked`,
      {
        field: symbol.name,
      },
    )
  }
}
