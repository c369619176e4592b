import { describe, expect, it } from 'vitest'
import { seededRandom } from '../stats/index.ts'
import { buildFrame, FRAME_BYTES_MIN, FRAME_KINDS, frameLength, internetChecksum, meanFrameBytes } from './frames.ts'

describe('frames', () => {
  it('one seed gives one frame, another seed another', () => {
    const frame = buildFrame('ipv4-udp', 64, seededRandom(1))
    expect(buildFrame('ipv4-udp', 64, seededRandom(1))).toEqual(frame)
    expect(buildFrame('ipv4-udp', 64, seededRandom(2))).not.toEqual(frame)
  })

  it('have the length asked for and unicast addresses, whatever the kind', () => {
    for (const kind of FRAME_KINDS)
      for (const bytes of [FRAME_BYTES_MIN, 64, 1518]) {
        const frame = buildFrame(kind, bytes, seededRandom(3))
        expect(frame).toHaveLength(bytes)
        expect(frame[0]! & 1).toBe(0)
      }
  })

  it('RFC 1071: a header sums to zero with its checksum in place', () => {
    for (const kind of ['ipv4-udp', 'ipv4-tcp', 'ipv4-icmp'] as const)
      expect(internetChecksum(buildFrame(kind, 64, seededRandom(4)), 14, 20)).toBe(0)
  })

  it('carry the EtherTypes and protocols that a parser looks for', () => {
    const at = (kind: (typeof FRAME_KINDS)[number], offset: number): number => {
      const frame = buildFrame(kind, 64, seededRandom(5))
      return (frame[offset]! << 8) | frame[offset + 1]!
    }
    expect(at('ipv4-udp', 12)).toBe(0x0800)
    expect(at('vlan-ipv4-udp', 12)).toBe(0x8100)
    expect(at('vlan-ipv4-udp', 16)).toBe(0x0800)
    expect(at('qinq-ipv6-udp', 12)).toBe(0x88a8)
    expect(at('qinq-ipv6-udp', 20)).toBe(0x86dd)
    expect(at('ipv6-tcp', 20) >>> 8).toBe(6)
    expect(at('ipv4-udp', 22) & 0xff).toBe(17)
  })

  it('the IMIX has 7 of 64, 4 of 594 and 1 of 1518 bytes', () => {
    const lengths = Array.from({ length: 12 }, (_, index) => frameLength(0, index)).sort((a, b) => a - b)
    expect(lengths).toEqual([64, 64, 64, 64, 64, 64, 64, 594, 594, 594, 594, 1518])
    expect(meanFrameBytes(0, 12)).toBeCloseTo((7 * 64 + 4 * 594 + 1518) / 12)
    expect(meanFrameBytes(128, 5)).toBe(128)
  })
})
