import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { decode } from './decode.ts'

/*
 * The instructions of RFC 9669 by conformance group (section 2.4): which of them decode, and so are verified, interpreted
 * and compiled. What each does is compared with an oracle by alu.test.ts, jump.test.ts and memory.test.ts.
 */
type Row = readonly [opcode: number, source: number, offset: number, immediate: number]

const EXIT = [0x95, 0, 0, 0] as const
const WITHOUT_DIVISION = [0x00, 0x10, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xb0, 0xc0]
const CONDITIONS = [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xb0, 0xc0, 0xd0]
const ATOMICS = [0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1]

/** With the immediate (K) and with a register (X). */
const both = (codes: readonly number[], kind: number, offset = 0): Row[] =>
  codes.flatMap((code): Row[] => [
    [code | kind, 0, offset, 1],
    [code | kind | 8, 1, offset, 0],
  ])
const division = (kind: number): Row[] => [...both([0x20, 0x30, 0x90], kind), ...both([0x30, 0x90], kind, 1)]

const GROUPS: Readonly<Record<string, readonly Row[]>> = {
  base32: [
    ...both(WITHOUT_DIVISION, 4),
    [0x84, 0, 0, 0],
    [0xbc, 1, 8, 0],
    [0xbc, 1, 16, 0],
    ...[16, 32].flatMap((bits): Row[] => [0xd4, 0xdc, 0xd7].map((opcode): Row => [opcode, 0, 0, bits])),
    ...both(CONDITIONS, 6),
    [0x05, 0, 0, 0],
    [0x06, 0, 0, 0],
    ...[0, 1, 2].map((kind): Row => [0x85, kind, 0, kind === 1 ? 0 : 1]),
    EXIT,
    ...[0x61, 0x69, 0x71, 0x62, 0x6a, 0x72, 0x63, 0x6b, 0x73].map((opcode): Row => [opcode, 0, 0, 0]),
  ],
  base64: [
    ...both(WITHOUT_DIVISION, 7),
    [0x87, 0, 0, 0],
    ...[8, 16, 32].map((bits): Row => [0xbf, 1, bits, 0]),
    ...[0xd4, 0xdc, 0xd7].map((opcode): Row => [opcode, 0, 0, 64]),
    ...both(CONDITIONS, 5),
    ...[0x79, 0x7a, 0x7b, 0x81, 0x89, 0x91].map((opcode): Row => [opcode, 0, 0, 0]),
    ...[0, 1, 2, 3, 4, 5, 6].map((kind): Row => [0x18, kind, 0, kind === 4 ? 1 : 0]),
  ],
  divmul32: division(4),
  divmul64: division(7),
  atomic32: ATOMICS.map((code): Row => [0xc3, 1, 0, code]),
  atomic64: ATOMICS.map((code): Row => [0xdb, 1, 0, code]),
  packet: [0x20, 0x28, 0x30, 0x40, 0x48, 0x50].map((opcode): Row => [opcode, 0, 0, 0]),
}

function decodes([opcode, source, offset, immediate]: Row): boolean {
  const rows: Row[] = [[opcode, source, offset, immediate], ...(opcode === 0x18 ? [[0, 0, 0, 0] as Row] : []), EXIT]
  const code = new Uint8Array(rows.length * 8)
  const view = new DataView(code.buffer)
  rows.forEach((row, i) => {
    view.setUint8(8 * i, row[0])
    view.setUint8(8 * i + 1, row[1] << 4)
    view.setInt16(8 * i + 2, row[2], true)
    view.setInt32(8 * i + 4, row[3], true)
  })
  try {
    decode(code, 1)
    return true
  } catch {
    return false
  }
}

describe('RFC 9669 2.4 conformance groups', () => {
  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')

  test.each(Object.entries(GROUPS))('%s: the README says how many of its instructions are there', (group, rows) => {
    const here = rows.filter(decodes).length
    expect(readme).toContain(`| ${group} | ${rows.length} | ${here} |`)
  })
})
