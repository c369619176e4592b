import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { completePartialChecksum } from './partial-checksum.ts'

const add = (bytes: readonly number[], from = 0): number => {
  let sum = from
  for (let i = 0; i < bytes.length; i += 2) {
    sum += (bytes[i]! << 8) + (bytes[i + 1] ?? 0)
    if (sum > 0xffff) sum -= 0xffff
  }
  return sum
}

interface Made {
  readonly frame: Uint8Array
  /** Where the checksum is. */
  readonly field: number
  /** Sum of the pseudo header, and the right checksum. */
  readonly pseudo: number
  readonly checksum: number
}

/** TCP or UDP over IPv4 or IPv6, with up to two VLAN tags; its checksum field is zero. */
function make(version: 4 | 6, protocol: 6 | 17, tags: number, payload: readonly number[]): Made {
  const transport = [...new Array<number>(protocol === 6 ? 20 : 8).fill(0), ...payload]
  transport[0] = 0x12
  const length = transport.length
  const addresses = Array.from({ length: version === 4 ? 8 : 32 }, (_, i) => (i * 37 + 5) & 0xff)
  const ip =
    version === 4
      ? [0x45, 0, (20 + length) >> 8, (20 + length) & 0xff, 0, 0, 0x40, 0, 64, protocol, 0, 0, ...addresses]
      : [0x60, 0, 0, 0, length >> 8, length & 0xff, protocol, 64, ...addresses]
  const link = [...new Array<number>(12).fill(2), ...new Array<number[]>(tags).fill([0x81, 0, 0, 7]).flat()]
  const frame = Uint8Array.from([...link, ...(version === 4 ? [8, 0] : [0x86, 0xdd]), ...ip, ...transport])
  const pseudo = add([...addresses, 0, protocol, length >> 8, length & 0xff])
  const checksum = ~add(transport, pseudo) & 0xffff || 0xffff
  return { frame, field: frame.length - length + (protocol === 6 ? 16 : 6), pseudo, checksum }
}

const made = fc
  .tuple(
    fc.constantFrom<4 | 6>(4, 6),
    fc.constantFrom<6 | 17>(6, 17),
    fc.nat(2),
    fc.array(fc.nat(255), { maxLength: 80 }),
  )
  .map(([version, protocol, tags, payload]) => make(version, protocol, tags, payload))

const put = (frame: Uint8Array, at: number, value: number): void => frame.set([value >> 8, value & 0xff], at)
const at = (frame: Uint8Array, field: number): number => frame[field]! * 256 + frame[field + 1]!

describe('completePartialChecksum', () => {
  test('completes what holds the sum of the pseudo header, and nothing else changes', () => {
    fc.assert(
      fc.property(made, fc.nat(4), ({ frame, field, pseudo, checksum }, trailer) => {
        put(frame, field, pseudo)
        const bytes = Uint8Array.of(9, ...frame, ...new Array<number>(trailer).fill(0xee))
        const expected = bytes.slice()
        put(expected, 1 + field, checksum)
        expect(completePartialChecksum(bytes, 1, frame.length + trailer)).toBe(pseudo !== checksum)
        expect([...bytes]).toEqual([...expected])
      }),
    )
  })

  test('a right checksum stays, also where it is the sum of the pseudo header', () => {
    const one = make(4, 17, 0, [0, 0])
    // What is summed beside the pseudo header makes its complement.
    put(
      one.frame,
      one.frame.length - 2,
      ~add([0x12, 0], add([one.pseudo >> 8, one.pseudo & 0xff], one.pseudo)) & 0xffff,
    )
    put(one.frame, one.field, one.pseudo)
    const before = [...one.frame]
    expect(completePartialChecksum(one.frame, 0, one.frame.length)).toBe(false)
    expect([...one.frame]).toEqual(before)
    fc.assert(
      fc.property(made, ({ frame, field, checksum }) => {
        put(frame, field, checksum)
        expect(completePartialChecksum(frame, 0, frame.length)).toBe(false)
        expect(at(frame, field)).toBe(checksum)
      }),
    )
  })

  test('fragments and whatever else comes stay as they are, without a look beyond the frame', () => {
    const { frame, field, pseudo } = make(4, 17, 0, [1, 2, 3])
    put(frame, field, pseudo)
    const fragment = frame.slice()
    fragment[20] = 0x20
    expect(completePartialChecksum(fragment, 0, fragment.length)).toBe(false)
    for (let length = 0; length < frame.length; length++) {
      const cut = frame.slice()
      completePartialChecksum(cut, 0, length)
      expect([...cut]).toEqual([...frame])
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (any) => {
        const bytes = any.slice()
        if (!completePartialChecksum(bytes, 0, bytes.length)) expect([...bytes]).toEqual([...any])
      }),
    )
  })
})
