import fc from 'fast-check'
import { expect, test } from 'vitest'
import { netlinkAttribute, netlinkAttribute32, parseNetlinkAttributes, zeroTerminated } from './netlink.ts'

test('an attribute is its header, its payload and zeros to a multiple of 4 bytes', () => {
  expect([...netlinkAttribute(3, Uint8Array.of(1, 2, 3, 4, 5))]).toEqual([9, 0, 3, 0, 1, 2, 3, 4, 5, 0, 0, 0])
  expect([...netlinkAttribute32(4, 1500)]).toEqual([8, 0, 4, 0, 0xdc, 5, 0, 0])
})

test('attributes are parsed back as they were written', () => {
  const attributes = fc.uniqueArray(
    fc.record({ type: fc.integer({ min: 0, max: 0x3fff }), payload: fc.uint8Array({ maxLength: 40 }) }),
    { selector: ({ type }) => type, maxLength: 8 },
  )
  fc.assert(
    fc.property(attributes, (list) => {
      const bytes = Uint8Array.from(list.flatMap(({ type, payload }) => [...netlinkAttribute(type, payload)]))
      const parsed = parseNetlinkAttributes(bytes)
      expect(parsed.size).toBe(list.length)
      for (const { type, payload } of list) expect([...parsed.get(type)!]).toEqual([...payload])
    }),
    { numRuns: 100 },
  )
})

test('attributes that lie about their length end the parse and never read beyond the bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      for (const payload of parseNetlinkAttributes(bytes).values())
        expect(payload.byteOffset + payload.length).toBeLessThanOrEqual(bytes.byteOffset + bytes.length)
    }),
    { numRuns: 200 },
  )
  expect(parseNetlinkAttributes(Uint8Array.of(200, 0, 1, 0)).size).toBe(0)
  expect(parseNetlinkAttributes(Uint8Array.of(0, 0, 1, 0)).size).toBe(0)
})

test('text ends at the first zero byte', () => {
  expect(zeroTerminated(Uint8Array.of(97, 98, 0, 99))).toBe('ab')
  expect(zeroTerminated(Uint8Array.of(97, 98))).toBe('ab')
})
