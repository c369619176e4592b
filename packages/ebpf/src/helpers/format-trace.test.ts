import { expect, test } from 'vitest'
import { formatTrace, type ReadMemory } from './format-trace.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const nowhere: ReadMemory = () => null
const line = (text: string, numbers: readonly number[], read = nowhere): string | null =>
  formatTrace(bytes(`${text}\0rest`), numbers, read)

test('numbers of 32 and 64 bits, signed and not, up to the first NUL', () => {
  const numbers = [-1, -1, 255, 1, 171, 0]
  expect(line('%d %x %X', numbers)).toBe('-1 ff AB')
  expect(line('%u %llx %ld', numbers)).toBe('4294967295 1000000ff 171')
  expect(line('100%% of %p', numbers)).toBe('100% of ffffffffffffffff')
  expect(line('%lld', numbers)).toBe('-1')
})

test('flags and widths as vsnprintf has them', () => {
  const numbers = [-7, -1, 42, 0, 255, 0]
  expect(line('[%5d|%-4u|%04x]', numbers)).toBe('[   -7|42  |00ff]')
  expect(line('[%05d|%+d|% d]', numbers)).toBe('[-0007|+42| 255]')
  expect(line('[%3c|%-3c]', [65, 0, 66, 0])).toBe('[  A|B  ]')
})

test('strings and addresses are read where they lead; what leads nowhere is empty or zero', () => {
  const memory = (low: number): Uint8Array => Uint8Array.of(192, 0, 2, 1, 0x61, 0x62, 0).subarray(low)
  expect(line('%s|%pI4|%pi4', [4, 1, 0, 1, 0, 1], memory)).toBe('ab|192.0.2.1|192.000.002.001')
  expect(line('%pI6', [0, 1], () => Uint8Array.of(0x20, 1, 0xd, 0xb8, ...new Array(11).fill(0), 1))).toBe(
    '2001:0db8:0000:0000:0000:0000:0000:0001',
  )
  expect(line('%-4s|%pI4', [1, 0, 1, 0])).toBe('    |0.0.0.0')
})

test('refused: no NUL, a conversion or character that is not known, a lone percent, one conversion too many', () => {
  const three = [1, 0, 2, 0, 3, 0]
  expect(formatTrace(bytes('text'), three, nowhere)).toBeNull()
  for (const text of ['%o', '%', '%.3d', '%lc', '%hd', '%sx', '%pa', '%pI5', '\u0001', '%d %d %d %d'])
    expect(line(text, three)).toBeNull()
})
