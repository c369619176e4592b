import { refused, VringError } from '@vring/layout'
import { PROGRAM_SLOTS_MAX, SLOT_BYTES } from '../isa/decode.ts'
import { SUBPROGRAMS_MAX } from '../isa/instruction.ts'
import { PROGRAM_MAPS_MAX } from '../runtime/memory-region.ts'
import { type ElfObject, type ElfSymbol, STT_FUNC } from './elf.ts'
import type { GlobalFunction } from './global-function.ts'
import type { MapPlace, MapTable, ObjectMap } from './map-definitions.ts'

/** A program that is ready to be decoded: maps by number in its own list, calls by distance. */
export interface LinkedProgram {
  readonly name: string
  readonly code: Uint8Array
  readonly maps: readonly ObjectMap[]
  /** Where the functions of the code came from. */
  readonly functions?: readonly LinkedFunction[]
}

/** A function in linked code. */
export interface LinkedFunction {
  /** First slot. */
  readonly slot: number
  readonly section: string
  /** Byte offset in the section. */
  readonly offset: number
  /** What the verifier goes by where it is called; undefined: a static function, or one without types. */
  readonly declaration?: GlobalFunction
}

// Instruction fields that linking patches, RFC 9669 sections 4.3 and 5.4; Linux BPF_PSEUDO_FUNC.
const OPCODE_LD_IMM64 = 0x18
const OPCODE_CALL = 0x85
const SOURCE_MAP = 1
const SOURCE_MAP_VALUE = 2
const SOURCE_FUNCTION = 4
const SOURCE_CALL = 1
const SOURCE_KERNEL_CALL = 2

/** A function in its section. */
interface FunctionCode {
  readonly symbol: ElfSymbol
  readonly bytes: Uint8Array
}

/** Links one program: places the functions that it reaches one after the other and resolves what they refer to. */
export class Linker {
  readonly #elf: ElfObject
  readonly #table: MapTable
  readonly #define: (place: MapPlace) => ObjectMap
  readonly #declare: (section: string, symbol: ElfSymbol) => GlobalFunction | undefined
  /** Functions by `section:offset`. */
  readonly #functions: ReadonlyMap<string, ElfSymbol>
  /** Slot at which a linked function starts. */
  readonly #placed = new Map<ElfSymbol, number>()
  readonly #chosen: FunctionCode[] = []
  readonly #maps: MapPlace[] = []
  #slots = 0

  constructor(
    elf: ElfObject,
    table: MapTable,
    define: (place: MapPlace) => ObjectMap,
    functions: ReadonlyMap<string, ElfSymbol>,
    declare: (section: string, symbol: ElfSymbol) => GlobalFunction | undefined,
  ) {
    this.#elf = elf
    this.#table = table
    this.#define = define
    this.#declare = declare
    this.#functions = functions
  }

  link(entry: ElfSymbol): LinkedProgram {
    this.#place(entry)
    // The list grows while it is walked: a function may call another one.
    for (let i = 0; i < this.#chosen.length; i++) this.#relocate(this.#chosen[i]!)
    const code = new Uint8Array(this.#slots * SLOT_BYTES)
    for (const { symbol, bytes } of this.#chosen) code.set(bytes, this.#placed.get(symbol)! * SLOT_BYTES)
    const functions = this.#chosen.map(({ symbol }) => {
      const section = this.#elf.sections[symbol.section]!.name
      // Types are read where a function may be called by its declaration.
      const declaration = this.#chosen.length === 1 ? undefined : this.#declare(section, symbol)
      const place = { slot: this.#placed.get(symbol)!, section, offset: symbol.value }
      return declaration === undefined ? place : { ...place, declaration }
    })
    return { name: entry.name, code, maps: this.#maps.map(this.#define), functions }
  }

  /** @returns the slot that the function starts at */
  #place(symbol: ElfSymbol): number {
    const known = this.#placed.get(symbol)
    if (known !== undefined) return known
    if (this.#chosen.length === SUBPROGRAMS_MAX)
      throw refused('ERR_OUT_OF_RANGE', 'functions of a program', SUBPROGRAMS_MAX + 1, `1 to ${SUBPROGRAMS_MAX}`)
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
    this.#slots += size / SLOT_BYTES
    if (this.#slots > PROGRAM_SLOTS_MAX)
      throw refused('ERR_OUT_OF_RANGE', 'instructions of a program', this.#slots, `1 to ${PROGRAM_SLOTS_MAX}`)
    this.#placed.set(symbol, start)
    this.#chosen.push({ symbol, bytes: section.bytes.slice(value, value + size) })
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
      relocations.delete(at)
      const opcode = bytes[at]
      if (opcode === OPCODE_CALL && bytes[at + 1]! >> 4 === SOURCE_CALL) this.#call(symbol, view, at, target)
      else if (opcode === OPCODE_CALL && bytes[at + 1]! >> 4 === SOURCE_KERNEL_CALL)
        throw this.#unsupported(symbol, at, `a call of the kernel function ${target?.name ?? 'without a name'}`)
      else if (target !== undefined && opcode === OPCODE_LD_IMM64 && at + 2 * SLOT_BYTES <= bytes.length)
        this.#reference(symbol, view, at, target)
      else if (target !== undefined)
        throw this.#unsupported(symbol, at, `a relocation of opcode 0x${opcode!.toString(16)}`)
      if (opcode === OPCODE_LD_IMM64) at += SLOT_BYTES
    }
    for (const [at, target] of relocations)
      throw this.#unsupported(
        symbol,
        Math.floor(at / SLOT_BYTES) * SLOT_BYTES,
        `a relocation to ${target.name} between instructions`,
      )
  }

  #call(caller: ElfSymbol, view: DataView, at: number, target: ElfSymbol | undefined): void {
    // The immediate counts slots from the next instruction; against a relocation, from the symbol, biased by one slot.
    const distance = (view.getInt32(at + 4, true) + 1) * SLOT_BYTES
    if (target?.section === 0)
      throw this.#unsupported(caller, at, `a call of ${target.name}, which the object does not define,`)
    const callee =
      target === undefined
        ? this.#function(caller.section, caller.value + at + distance)
        : this.#function(target.section, target.type === STT_FUNC ? target.value : target.value + distance)
    if (callee === undefined) throw this.#unsupported(caller, at, `a call of ${target?.name ?? 'no function'}`)
    const here = this.#placed.get(caller)! + at / SLOT_BYTES
    view.setInt32(at + 4, this.#place(callee) - here - 1, true)
  }

  #function(section: number, offset: number): ElfSymbol | undefined {
    return this.#functions.get(`${section}:${offset}`)
  }

  /** A 64-bit immediate that names a map, a variable in a section that became one, or a function. */
  #reference(user: ElfSymbol, view: DataView, at: number, target: ElfSymbol): void {
    const addend = view.getInt32(at + 4, true)
    const destination = view.getUint8(at + 1) & 0xf
    const callee = this.#function(target.section, target.value + addend)
    if (callee !== undefined) {
      const here = this.#placed.get(user)! + at / SLOT_BYTES
      view.setUint8(at + 1, destination | (SOURCE_FUNCTION << 4))
      view.setInt32(at + 4, this.#place(callee) - here - 1, true)
      return
    }
    const place = this.#table.locate(target.section, target.value + addend)
    if (place === undefined) throw this.#unsupported(user, at, `a reference to ${target.name || 'no symbol'}`)
    view.setUint8(at + 1, destination | ((place.isData ? SOURCE_MAP_VALUE : SOURCE_MAP) << 4))
    view.setInt32(at + 4, this.#mapNumber(place), true)
    view.setInt32(at + SLOT_BYTES + 4, place.isData ? target.value + addend : 0, true)
  }

  #mapNumber(place: MapPlace): number {
    const known = this.#maps.indexOf(place)
    if (known >= 0) return known
    if (this.#maps.length === PROGRAM_MAPS_MAX)
      throw refused('ERR_OUT_OF_RANGE', 'maps of a program', PROGRAM_MAPS_MAX + 1, `0 to ${PROGRAM_MAPS_MAX}`)
    return this.#maps.push(place) - 1
  }

  #unsupported(symbol: ElfSymbol, at: number, what: string): VringError {
    return new VringError(
      'ERR_UNSUPPORTED',
      `function ${symbol.name}, instruction ${at / SLOT_BYTES}: ${what} can't be linked`,
      { field: symbol.name },
    )
  }
}
