import { expect, test } from 'vitest'
import {
  addImmediate,
  assembleBpf,
  atomicAdd64,
  callHelper,
  exitProgram,
  load32,
  loadMap,
  movImmediate,
  movRegister,
  skipIfZero,
  store32,
} from './bpf-instructions.ts'

test('instructions are encoded as clang encodes them', () => {
  // Read off `llvm-objdump -d` of the same instructions.
  const expected: [ReturnType<typeof exitProgram>, string][] = [
    [movImmediate(0, 1), 'b700000001000000'],
    [movRegister(2, 10), 'bfa2000000000000'],
    [addImmediate(2, -4), '07020000fcffffff'],
    [load32(2, 1, 16), '6112100000000000'],
    [store32(10, -4, 0), '620afcff00000000'],
    [atomicAdd64(0, 0, 1), 'db10000000000000'],
    [skipIfZero(0, 2), '1500020000000000'],
    [callHelper(51), '8500000033000000'],
    [exitProgram(), '9500000000000000'],
  ]
  for (const [instruction, bytes] of expected)
    expect(Buffer.from(assembleBpf([instruction])).toString('hex')).toBe(bytes)
  expect(Buffer.from(assembleBpf(loadMap(1, 7))).toString('hex')).toBe('18110000070000000000000000000000')
})
