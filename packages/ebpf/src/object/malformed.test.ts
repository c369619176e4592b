import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { VringError } from '@vring/layout'
import { describe, expect, test } from 'vitest'
import { readObject } from './read-object.ts'

const FIXTURES = join(import.meta.dirname, '../../../xdp/fixtures')
const SECTION_BYTES = 64
const SYMBOL_BYTES = 24
const SHT_SYMTAB = 2
const SHT_STRTAB = 3
const SHT_NOBITS = 8
const SHT_REL = 9

function object(name = 'xdp1.v3.o'): Uint8Array {
  return new Uint8Array(readFileSync(join(FIXTURES, name)))
}

/** Reads all that an object holds. */
function readAll(bytes: Uint8Array): void {
  const read = readObject(bytes)
  for (const program of read.programs) program.link()
  for (const name of read.mapNames) read.layout(name)
  read.typeInfo()
  read.sourceLines()
}

function errorOf(bytes: Uint8Array): unknown {
  try {
    readAll(bytes)
  } catch (error) {
    return error
  }
  return undefined
}

/** A header of a section, as it lies in the file. */
interface Header {
  /** Where the header is. */
  readonly at: number
  readonly type: number
  readonly offset: number
  readonly size: number
}

function headers(bytes: Uint8Array): Header[] {
  const view = new DataView(bytes.buffer)
  const first = Number(view.getBigUint64(40, true))
  return Array.from({ length: view.getUint16(60, true) }, (_, i) => {
    const at = first + i * SECTION_BYTES
    return {
      at,
      type: view.getUint32(at + 4, true),
      offset: Number(view.getBigUint64(at + 24, true)),
      size: Number(view.getBigUint64(at + 32, true)),
    }
  })
}

/** An object in which something was changed. */
function changed(change: (view: DataView, sections: readonly Header[]) => void, name?: string): Uint8Array {
  const bytes = object(name)
  change(new DataView(bytes.buffer), headers(bytes))
  return bytes
}

function ofType(sections: readonly Header[], type: number): Header {
  return sections.find((one) => one.type === type && one.size > 0)!
}

describe('malformed objects', () => {
  test('an object that is cut ends in one VringError, wherever it is cut', () => {
    const whole = object()
    expect(errorOf(whole)).toBeUndefined()
    for (let length = 0; length < whole.length; length++) {
      const error = errorOf(whole.subarray(0, length))
      if (!(error instanceof VringError)) expect.fail(`cut at ${length}: ${String(error)}`)
    }
  })

  test('any byte that is set to 0xff leaves an object that is read, or one VringError', () => {
    const bytes = object()
    for (let at = 0; at < bytes.length; at++) {
      const before = bytes[at]!
      bytes[at] = 0xff
      const error = errorOf(bytes)
      if (error !== undefined && !(error instanceof VringError)) expect.fail(`byte ${at}: ${String(error)}`)
      bytes[at] = before
    }
  })

  test('sections that overlap are refused by their numbers', () => {
    const bytes = changed((view, sections) => {
      const [first, second] = sections.filter(({ size, type }) => size > 0 && type !== SHT_NOBITS)
      view.setBigUint64(second!.at + 24, BigInt(first!.offset), true)
    })
    expect(() => readObject(bytes)).toThrow(
      /section \d+: bytes is those of section \d+ as well; accepted: bytes of its/,
    )
  })

  test('a section that reaches beyond the file is refused', () => {
    const bytes = changed((view, sections) => view.setBigUint64(ofType(sections, SHT_REL).at + 32, 1n << 40n, true))
    expect(() => readObject(bytes)).toThrow(/1099511627776 bytes at \d+\) reaches beyond/)
  })

  test('a string without an end is refused', () => {
    const bytes = changed((view, sections) => {
      const strings = ofType(sections, SHT_STRTAB)
      for (let i = 0; i < strings.size; i++) view.setUint8(strings.offset + i, 0x61)
    })
    expect(() => readObject(bytes)).toThrow(/string at \d+ is without an end/)
  })

  test('a name beyond the table of strings is refused', () => {
    const bytes = changed((view, sections) =>
      view.setUint32(ofType(sections, SHT_SYMTAB).offset + SYMBOL_BYTES, 0xffff_ffff, true),
    )
    expect(() => readObject(bytes)).toThrow(/string table: offset is 4294967295/)
  })

  test('a relocation against a symbol that is not there is refused', () => {
    const bytes = changed((view, sections) => view.setUint32(ofType(sections, SHT_REL).offset + 12, 0xffff_ff, true))
    expect(() => readAll(bytes)).toThrow(/relocation 0: symbol is 16777215/)
  })

  test('a relocation between two instructions is refused', () => {
    const bytes = changed((view, sections) => {
      const { offset } = ofType(sections, SHT_REL)
      view.setBigUint64(offset, view.getBigUint64(offset, true) + 4n, true)
    })
    expect(() => readAll(bytes)).toThrow(/between instructions can't be linked/)
  })

  test('a map that lies beyond its section is refused', () => {
    const bytes = changed((view, sections) => {
      view.setBigUint64(firstTarget(view, sections) + 8, 0xfff8n, true)
    })
    expect(() => readAll(bytes)).toThrow(/map rxcnt: offset is 65528/)
  })

  test('a relocation to a place that is no map, variable or function is refused', () => {
    const bytes = changed((view, sections) => {
      const strings = sections.findIndex(({ type, size }) => type === SHT_STRTAB && size > 0)
      view.setUint16(firstTarget(view, sections) + 6, strings, true)
    })
    expect(() => readAll(bytes)).toThrow(/a reference to rxcnt can't be linked/)
  })
})

/** Where the symbol is that the first relocation names. */
function firstTarget(view: DataView, sections: readonly Header[]): number {
  const number = view.getUint32(ofType(sections, SHT_REL).offset + 12, true)
  return ofType(sections, SHT_SYMTAB).offset + number * SYMBOL_BYTES
}
