import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decode, disassemble, EbpfError, encode, type Instruction } from '../index.ts'

const exit: Instruction = { kind: 'exit' }

/** Raw slots: opcode, registers, offset, immediate. */
function slots(...rows: [number, number, number, number][]): Uint8Array {
  const code = new Uint8Array(rows.length * 8)
  const view = new DataView(code.buffer)
  rows.forEach(([opcode, registers, offset, immediate], i) => {
    view.setUint8(i * 8, opcode)
    view.setUint8(i * 8 + 1, registers)
    view.setInt16(i * 8 + 2, offset, true)
    view.setInt32(i * 8 + 4, immediate, true)
  })
  return code
}

const EVERY_KIND: [Instruction, string][] = [
  [{ kind: 'alu', operation: 'add', bits: 64, destination: 1, source: 2, immediate: 0 }, 'r1 += r2'],
  [{ kind: 'alu', operation: 'smod', bits: 32, destination: 1, source: -1, immediate: -7 }, 'w1 s%= -7'],
  [{ kind: 'alu', operation: 'sdiv', bits: 64, destination: 3, source: 4, immediate: 0 }, 'r3 s/= r4'],
  [{ kind: 'move', destination: 3, source: 4, immediate: 0, bits: 64, fromBits: 16 }, 'r3 = (s16)r4'],
  [{ kind: 'move', destination: 3, source: -1, immediate: 9, bits: 32, fromBits: 32 }, 'w3 = 9'],
  [{ kind: 'negate', destination: 2, bits: 32 }, 'w2 = -w2'],
  [{ kind: 'swap', destination: 2, order: 'be', bits: 16 }, 'r2 = be16 r2'],
  [{ kind: 'swap', destination: 2, order: 'le', bits: 64 }, 'r2 = le64 r2'],
  [{ kind: 'swap', destination: 2, order: 'swap', bits: 32 }, 'r2 = bswap32 r2'],
  [{ kind: 'load-immediate', destination: 5, low: -1, high: 1 }, 'r5 = 0x1ffffffff ll'],
  [{ kind: 'load-map', destination: 1, map: 1 }, 'r1 = map[1] ll'],
  [{ kind: 'load-map-value', destination: 1, map: 0, offset: 8 }, 'r1 = map[0][0] + 8 ll'],
  [{ kind: 'load', destination: 2, base: 1, offset: 4, bytes: 4, signed: false }, 'r2 = *(u32 *)(r1 + 4)'],
  [{ kind: 'load', destination: 2, base: 1, offset: -4, bytes: 1, signed: true }, 'r2 = *(s8 *)(r1 - 4)'],
  [{ kind: 'store', base: 10, offset: -8, bytes: 8, source: 1, immediate: 0 }, '*(u64 *)(r10 - 8) = r1'],
  [{ kind: 'store', base: 10, offset: -2, bytes: 2, source: -1, immediate: 7 }, '*(u16 *)(r10 - 2) = 7'],
  [
    { kind: 'atomic', operation: 'add', fetch: false, base: 1, offset: 0, bytes: 8, source: 2 },
    'lock *(u64 *)(r1 + 0) += r2',
  ],
  [
    { kind: 'atomic', operation: 'cmpxchg', fetch: true, base: 1, offset: 0, bytes: 4, source: 2 },
    'lock fetch *(u32 *)(r1 + 0) cmpxchg r2',
  ],
  [
    { kind: 'jump', condition: 'slt', bits: 32, destination: 1, source: 2, immediate: 0, target: 0 },
    'if w1 s< w2 goto 0',
  ],
  [
    { kind: 'jump', condition: 'set', bits: 64, destination: 1, source: -1, immediate: 6, target: 0 },
    'if r1 & 6 goto 0',
  ],
  [{ kind: 'goto', target: 0 }, 'goto 0'],
  [{ kind: 'call', helper: 1 }, 'call helper 1'],
  [{ kind: 'call-local', target: 0 }, 'call subprogram at 0'],
  [exit, 'exit'],
]

describe('instructions', () => {
  test.each(EVERY_KIND)('%o is %s, encoded and decoded', (instruction, text) => {
    expect(decode(encode([instruction, exit]), 2)[0]).toEqual(instruction)
    expect(disassemble(instruction)).toBe(text)
  })

  test('a goto further than 16 bits is a gotol and comes back the same', () => {
    const far = 0x8001
    const filler = new Array<Instruction>(far - 1).fill({ kind: 'negate', destination: 0, bits: 64 })
    const code = encode([{ kind: 'goto', target: far }, ...filler, exit])
    expect(code[0]).toBe(0x06)
    expect(decode(code)[0]).toEqual({ kind: 'goto', target: far })
  })

  test('a conditional jump that 16 bits do not reach is refused', () => {
    const jump: Instruction = {
      kind: 'jump',
      condition: 'eq',
      bits: 64,
      destination: 0,
      source: -1,
      immediate: 0,
      target: 0x9000,
    }
    expect(() => encode([jump])).toThrow(/jump of 36863 slots/)
  })
})

describe('malformed programs are refused at the instruction, with the reason', () => {
  const EXIT: [number, number, number, number] = [0x95, 0, 0, 0]
  test.each([
    ['an unknown opcode', slots([0xff, 0, 0, 0], EXIT), 0, /unknown opcode/],
    ['a register beyond r10', slots([0xb7, 0x0b, 0, 0], EXIT), 0, /register r11 does not exist/],
    ['a source beyond r10', slots([0xbf, 0xf0, 0, 0], EXIT), 0, /register r15 does not exist/],
    ['a write to r10', slots([0xb7, 0x0a, 0, 0], EXIT), 0, /read-only/],
    ['a reserved offset', slots([0x07, 0, 3, 0], EXIT), 0, /reserved field offset/],
    ['a reserved immediate', slots([0x0f, 0, 0, 3], EXIT), 0, /reserved field immediate/],
    ['division by the immediate zero', slots([0x37, 0, 0, 0], EXIT), 0, /division by the immediate zero/],
    ['a shift by the width', slots([0x67, 0, 0, 64], EXIT), 0, /shift by 64; accepted: 0 to 63/],
    ['a 32-bit shift by 32', slots([0x64, 0, 0, 32], EXIT), 0, /accepted: 0 to 31/],
    ['a byte swap of 24 bits', slots([0xd4, 0, 0, 24], EXIT), 0, /byte swap of 24/],
    ['a sign extension from 32 to 32', slots([0xbc, 0x10, 32, 0], EXIT), 0, /sign extension from 32/],
    ['an atomic of one byte', slots([0xd3, 0x12, 0, 0], EXIT), 0, /atomic access of 1/],
    ['an unknown atomic', slots([0xdb, 0x12, 0, 0x70], EXIT), 0, /unknown atomic operation 0x70/],
    ['legacy packet access', slots([0x30, 0, 0, 0], EXIT), 0, /legacy packet access/],
    ['half a wide immediate', slots(EXIT, [0x18, 0, 0, 0]), 1, /second half .* missing/],
    ['a wide immediate whose half has an opcode', slots([0x18, 0, 0, 0], EXIT), 1, /has an opcode/],
    ['a map that is not there', slots([0x18, 0x11, 0, 3], [0, 0, 0, 0], EXIT), 0, /map 3 is not one of/],
    ['a jump past the end', slots([0x05, 0, 5, 0], EXIT), 0, /target 6 is outside/],
    ['a jump before the start', slots([0x05, 0, -2, 0], EXIT), 0, /target -1 is outside/],
    ['a jump into a wide immediate', slots([0x05, 0, 1, 0], [0x18, 0, 0, 0], [0, 0, 0, 0], EXIT), 0, /second half/],
    ['a call of an unknown kind', slots([0x85, 0x30, 0, 0], EXIT), 0, /call of kind 3/],
    ['a call of a kernel function', slots([0x85, 0x20, 0, 77], EXIT), 0, /kernel function 77 is not supported/],
    ['may_goto', slots([0xe5, 0, 0, 0], EXIT), 0, /may_goto is not supported/],
    ['callx', slots([0x8d, 0, 0, 0], EXIT), 0, /callx, .* is not supported/],
    ['load-acquire', slots([0xdb, 0x21, 0, 0x100], EXIT), 0, /load-acquire is not supported/],
    ['store-release', slots([0xdb, 0x21, 0, 0x110], EXIT), 0, /store-release is not supported/],
  ])('%s', (_, code, instruction, reason) => {
    let error: unknown
    try {
      decode(code, 1)
    } catch (caught) {
      error = caught
    }
    expect(error).toBeInstanceOf(EbpfError)
    expect((error as EbpfError).instruction).toBe(instruction)
    expect((error as EbpfError).message).toMatch(reason)
  })

  test.each([0, 7, 12])('%i bytes are no program', (bytes) => {
    expect(() => decode(new Uint8Array(bytes))).toThrow(/accepted: 1 to 1000000 slots of 8 bytes/)
  })

  test('any bytes decode, or are refused with an EbpfError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 64 }), (bytes) => {
        try {
          decode(bytes.subarray(0, bytes.length & ~7), 2)
        } catch (error) {
          expect(error).toBeInstanceOf(EbpfError)
        }
      }),
      { numRuns: 1000 },
    )
  })
})
