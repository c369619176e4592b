import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { completeChecksum } from './complete-checksum.ts'

/** RFC 1071 section 4.1, word by word with the carry folded in at once. */
function onesComplementSum(bytes: readonly number[]): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) {
    sum += (bytes[i]! << 8) + (bytes[i + 1] ?? 0)
    if (sum > 0xffff) sum -= 0xffff
  }
  return sum
}

describe('completeChecksum', () => {
  test('makes the sum over the covered bytes all ones, and changes nothing else', () => {
    const input = fc.uint8Array({ minLength: 20, maxLength: 300 }).chain((bytes) =>
      fc.record({
        bytes: fc.constant(bytes),
        // A field at an even distance, as in TCP and UDP.
        start: fc.integer({ min: 0, max: bytes.length - 2 }),
        offset: fc.integer({ min: 0, max: 8 }).map((half) => 2 * half),
      }),
    )
    fc.assert(
      fc.property(input, ({ bytes, start, offset }) => {
        const u8 = Uint8Array.of(1, 2, 3, ...bytes, 4, 5)
        const status = completeChecksum(u8, 3, bytes.length, start, offset)
        if (start + offset + 2 > bytes.length) {
          expect(status).toBe(-22)
          expect([...u8]).toEqual([1, 2, 3, ...bytes, 4, 5])
          return
        }
        const field = start + offset
        const before = onesComplementSum([...bytes.subarray(start)])
        const checksum = (u8[3 + field]! << 8) | u8[3 + field + 1]!
        expect(checksum).not.toBe(0)
        expect((before + checksum) % 0xffff).toBe(0)
        u8.set(bytes.subarray(field, field + 2), 3 + field)
        expect([...u8]).toEqual([1, 2, 3, ...bytes, 4, 5])
      }),
      { numRuns: 200 },
    )
  })

  test('completes a real UDP datagram', () => {
    // 10.0.0.1:1024 -> 10.0.0.2:53, "hi"; the field holds the sum of the pseudo header.
    const pseudo = onesComplementSum([10, 0, 0, 1, 10, 0, 0, 2, 0, 17, 0, 10])
    const u8 = Uint8Array.of(0x04, 0x00, 0, 53, 0, 10, pseudo >> 8, pseudo & 0xff, 0x68, 0x69)
    expect(completeChecksum(u8, 0, 10, 0, 6)).toBe(0)
    // 0x0a00 + 0x0001 + 0x0a00 + 0x0002 + 17 + 10 + 0x0400 + 53 + 10 + 0x6869, complemented.
    expect((u8[6]! << 8) | u8[7]!).toBe(~(0x0a00 + 1 + 0x0a00 + 2 + 17 + 10 + 0x0400 + 53 + 10 + 0x6869) & 0xffff)
  })
})
