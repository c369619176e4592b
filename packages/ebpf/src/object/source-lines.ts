import { VringError } from '@vring/layout'
import { BtfSection, extRecords, viewOf } from './btf-section.ts'
import type { ElfObject } from './elf.ts'

/** Where an instruction came from. */
export interface SourceLine {
  /** From 1; 0: the compiler made it. */
  readonly line: number
  /** The line itself, as the compiler read it. */
  readonly text: string
}

/** Offsets in bytes from a section's start, rising, with the line that is the source from there on. */
export type SectionLines = readonly { readonly offset: number; readonly source: SourceLine }[]

/** Where line_info lies in struct btf_ext_header. */
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
  const found = new Map<string, { offset: number; source: SourceLine }[]>()
  if (btf === undefined || ext === undefined) return found
  try {
    const types = new BtfSection(btf.bytes)
    const view = viewOf(ext.bytes)
    for (const { section, at } of extRecords(ext, types, LINE_INFO_AT, RECORD_BYTES)) {
      const text = types.strings.at(view.getUint32(at + 8, true))
      const source = { line: view.getUint32(at + 12, true) >>> COLUMN_BITS, text }
      const lines = found.get(section)
      if (lines === undefined) found.set(section, [{ offset: view.getUint32(at, true), source }])
      else lines.push({ offset: view.getUint32(at, true), source })
    }
    for (const lines of found.values()) lines.sort((one, other) => one.offset - other.offset)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new VringError('ERR_INVALID_ARGUMENT', '.BTF.ext section is truncated', { field: '.BTF.ext', cause })
  }
  return found
}

/** The line that the instruction at a byte offset of a section came from. */
export function sourceLineAt(
  lines: ReadonlyMap<string, SectionLines>,
  section: string,
  offset: number,
): SourceLine | undefined {
  return lines.get(section)?.findLast((one) => one.offset <= offset)?.source
}
