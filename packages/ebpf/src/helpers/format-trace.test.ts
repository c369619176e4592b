import { expect, test } from 'vitest'
import { formatTrace } from './format-trace.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

test('trace_printk formats 32 and 64 bits, signed and not, up to the first NUL', () => {
  const numbers = [-1, -1, 255, 1, 8, 0]
  expect(formatTrace(bytes('%d %x %o\0rest'), numbers)).toBe('-1 ff 10')
  expect(formatTrace(bytes('%u %llx %ld'), numbers)).toBe('4294967295 1000000ff 8')
  expect(formatTrace(bytes('100%% of %p'), numbers)).toBe('100% of ffffffffffffffff')
  expect(formatTrace(bytes('%lld'), numbers)).toBe('-1')
})

test('unknown conversions, a lone percent and a fourth number are refused', () => {
  for (const text of ['%s', '%', '%5d', '%d %d %d %d']) expect(formatTrace(bytes(text), [1, 0, 2, 0, 3, 0])).toBeNull()
})
