import { VringError } from '@vring/layout'
import { type ElfObject, stringAt } from './elf.ts'

/** Where an instruction came from. */
export interface SourceLine {
  /** From 1; 0: the compiler made it. */
  readonly line: number
  /** The line itself, as the compiler read it. */
  readonly text: string
}

/** Offsets in bytes from a section's start, rising, with the line that is the source from there on. */
export type SectionLines = readonly { readonly offset: number; readonly source: SourceLine }[]

// struct btf_ext_header: offset and bytes of the line information, counted from the header's end.
const HEADER_BYTES_AT = 4
const LINE_INFO_AT = 16
/** insn_off, file_name_off, line_off, line_col. Source: Linux Documentation/bpf/btf.rst, struct bpf_line_info. */
const RECORD_BYTES = 16
const COLUMN_BITS = 10

/**
 * Lines of the source that `.BTF.ext` keeps (`clang -g`), by section.
 *
 * @throws VringError if it is malformed
 */
export function readSourceLines(elf: ElfObject): ReadonlyMap<string, SectionLines> {
  const btf = elf.sections.find(({ name }) => name === '.BTF')
  const ext = elf.sections.find(({ name }) => name === '.BTF.ext')
  const found = new Map<string, SectionLines>()
  if (btf === undefined || ext === undefined) return found
  try {
    const strings = stringsOf(btf.bytes)
    const view = new DataView(ext.bytes.buffer, ext.bytes.byteOffset, ext.bytes.byteLength)
    const start = view.getUint32(HEADER_BYTES_AT, true) + view.getUint32(LINE_INFO_AT, true)
    const bytes = view.getUint32(LINE_INFO_AT + 4, true)
    if (bytes === 0) return found
    const recordBytes = Math.max(view.getUint32(start, true), RECORD_BYTES)
    for (let at = start + 4; at < start + bytes; ) {
      const section = stringAt(strings, view.getUint32(at, true), '.BTF')
      const count = view.getUint32(at + 4, true)
      at += 8
      if (count * recordBytes > ext.bytes.length - at) throw new RangeError('line_info')
      const lines = Array.from({ length: count }, (_, i) => {
        const record = at + i * recordBytes
        const text = stringAt(strings, view.getUint32(record + 8, true), '.BTF')
        return {
          offset: view.getUint32(record, true),
          source: { line: view.getUint32(record + 12, true) >>> COLUMN_BITS, text },
        }
      })
      found.set(
        section,
        lines.sort((one, other) => one.offset - other.offset),
      )
      at += count * recordBytes
    }
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new VringError('ERR_INVALID_ARGUMENT', '.BTF.ext section is truncated', { field: '.BTF.ext', cause })
  }
  return found
}

function stringsOf(btf: Uint8Array): Uint8Array {
  const view = new DataView(btf.buffer, btf.byteOffset, btf.byteLength)
  const start = view.getUint32(4, true) + view.getUint32(16, true)
  return btf.subarray(start, start + view.getUint32(20, true))
}

/** The line that the instruction at a byte offset of a section came from. */
export function sourceLineAt(
  lines: ReadonlyMap<string, SectionLines>,
  section: string,
  offset: number,
): SourceLine | undefined {
  return lines.get(section)?.findLast((one) => one.offset <= offset)?.source
}
