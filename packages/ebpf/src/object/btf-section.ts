import { refused } from '@vring/layout'
import type { ElfSection } from './elf.ts'
import { StringTable } from './string-table.ts'

/*
 * Layout of the sections .BTF and .BTF.ext. Source: Linux Documentation/bpf/btf.rst. What is truncated ends in a RangeError, which
 * callers turn into one VringError.
 */

const BTF_MAGIC = 0xeb9f
/** Bytes of a type, before what follows it. */
export const TYPE_BYTES = 12
/** Bytes that follow a type once: of an integer, an array, a variable, a tag of a declaration. */
const EXTRA_BYTES: Readonly<Record<number, number>> = { 1: 4, 3: 12, 14: 4, 17: 4 }
/** Bytes that follow it for each of its entries: struct, union, enum, prototype, section of variables, enum of 64 bits. */
const ENTRY_BYTES: Readonly<Record<number, number>> = { 4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12 }

/** One type as it is stored. */
export interface StoredType {
  /** From 1. */
  readonly number: number
  /** Byte offset in the section. */
  readonly at: number
  readonly kind: number
  /** Number of entries, or the linkage of a function. */
  readonly count: number
  readonly entryBytes: number
  readonly info: number
}

/** A `.BTF` section. */
export class BtfSection {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly strings: StringTable
  readonly #start: number
  readonly #end: number

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.view = viewOf(bytes)
    const magic = this.view.getUint16(0, true)
    if (magic !== BTF_MAGIC) throw refused('ERR_INVALID_ARGUMENT', '.BTF magic', magic, `0x${BTF_MAGIC.toString(16)}`)
    const headerBytes = this.view.getUint32(4, true)
    this.#start = headerBytes + this.view.getUint32(8, true)
    this.#end = this.#start + this.view.getUint32(12, true)
    const strings = headerBytes + this.view.getUint32(16, true)
    this.strings = new StringTable(bytes.subarray(strings, strings + this.view.getUint32(20, true)), '.BTF')
    if (this.#end > bytes.length) throw new RangeError('types')
  }

  /** The text whose offset stands at `at`. */
  text(at: number): string {
    return this.strings.at(this.view.getUint32(at, true))
  }

  *types(): Generator<StoredType, void> {
    for (let at = this.#start, number = 1; at < this.#end; number++) {
      const info = this.view.getUint32(at + 4, true)
      const kind = (info >>> 24) & 0x1f
      const count = info & 0xffff
      const entryBytes = ENTRY_BYTES[kind] ?? 0
      if (count * entryBytes > this.bytes.length - at - TYPE_BYTES) throw new RangeError('entries')
      yield { number, at, kind, count, entryBytes, info }
      at += TYPE_BYTES + (EXTRA_BYTES[kind] ?? 0) + count * entryBytes
    }
  }
}

/** A record of `.BTF.ext`: the section that it is about, and its byte offset. */
export interface ExtRecord {
  readonly section: string
  readonly at: number
}

/**
 * Records of one part of `.BTF.ext`, section by section.
 *
 * @param part byte offset in the header of where the part lies: 8 of func_info, 16 of line_info
 * @param bytesAtLeast of a record
 */
export function* extRecords(
  { bytes }: ElfSection,
  btf: BtfSection,
  part: number,
  bytesAtLeast: number,
): Generator<ExtRecord, void> {
  const view = viewOf(bytes)
  const start = view.getUint32(4, true) + view.getUint32(part, true)
  const partBytes = view.getUint32(part + 4, true)
  if (partBytes === 0) return
  const recordBytes = Math.max(view.getUint32(start, true), bytesAtLeast)
  for (let at = start + 4; at < start + partBytes; ) {
    const section = btf.strings.at(view.getUint32(at, true))
    const count = view.getUint32(at + 4, true)
    at += 8
    if (count * recordBytes > bytes.length - at) throw new RangeError('records')
    for (let i = 0; i < count; i++, at += recordBytes) yield { section, at }
  }
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
