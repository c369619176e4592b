import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  formatRates,
  ipProtocol,
  normalizeVerdict,
  XDP_ABORTED,
  XDP_DROP,
  XDP_PASS,
  XDP_TX,
  Xdp1,
  Xdp2,
  XdpContext,
  xdpDrop,
  xdpPass,
} from './index.ts'

const IPV4 = [0x08, 0x00]
const IPV6 = [0x86, 0xdd]
const VLAN = [0x81, 0x00, 0, 7]
const SERVICE_VLAN = [0x88, 0xa8, 0, 8]

/** MAC addresses 1..6 and 7..12, then `types` (EtherType and tags), then a network header that names `protocol`. */
function frame(types: number[], protocol: number, bytes = 64): Uint8Array {
  const u8 = new Uint8Array(bytes)
  u8.set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, ...types])
  const network = 12 + types.length
  u8[network + 6] = protocol
  u8[network + 9] = protocol
  return u8
}

function contextOf(u8: Uint8Array, length: number = u8.length): XdpContext {
  const context = new XdpContext()
  context.setFrame(u8, 0, length)
  return context
}

describe('xdp1', () => {
  test('counts IPv4 and IPv6 by protocol, bare and after one or two VLAN tags, and drops', () => {
    const program = new Xdp1()
    for (const tags of [[], VLAN, SERVICE_VLAN, [...SERVICE_VLAN, ...VLAN]]) {
      expect(program.run(contextOf(frame([...tags, ...IPV4], 17)))).toBe(XDP_DROP)
      expect(program.run(contextOf(frame([...tags, ...IPV6], 6)))).toBe(XDP_DROP)
    }
    expect(program.counters[17]).toBe(4)
    expect(program.counters[6]).toBe(4)
  })

  test('counts a third VLAN tag, ARP and a cut-off IP header as protocol 0', () => {
    const program = new Xdp1()
    program.run(contextOf(frame([...VLAN, ...VLAN, ...VLAN, ...IPV4], 17)))
    program.run(contextOf(frame([0x08, 0x06], 17)))
    program.run(contextOf(frame(IPV4, 17), 14 + 19))
    program.run(contextOf(frame(IPV6, 17), 14 + 39))
    expect(program.counters[0]).toBe(4)
    expect(program.counters[17]).toBe(0)
  })

  test('drops a frame that ends inside Ethernet header or tags uncounted', () => {
    const program = new Xdp1()
    for (const length of [0, 1, 13]) expect(program.run(contextOf(frame(IPV4, 17), length))).toBe(XDP_DROP)
    expect(program.run(contextOf(frame([...VLAN, ...IPV4], 17), 17))).toBe(XDP_DROP)
    expect(program.counters.every((count) => count === 0)).toBe(true)
  })

  test('never reads at or beyond dataEnd: bytes there do not change the result', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 64, maxLength: 64 }),
        fc.constantFrom(...[IPV4, IPV6, VLAN, [...VLAN, ...IPV6]]),
        fc.integer({ min: 0, max: 64 }),
        (noise, types, length) => {
          const u8 = noise.slice()
          u8.set(types, 12)
          const cut = new Uint8Array(64)
          cut.set(u8.subarray(0, length))
          expect(ipProtocol(contextOf(u8, length))).toBe(ipProtocol(contextOf(cut, length)))
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('xdp2', () => {
  test('sends UDP back with swapped MAC addresses', () => {
    const program = new Xdp2()
    const u8 = frame(IPV4, 17)
    expect(program.run(contextOf(u8))).toBe(XDP_TX)
    expect([...u8.subarray(0, 12)]).toEqual([7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6])
    expect(program.counters[17]).toBe(1)
  })

  test('drops what is not UDP, untouched', () => {
    const program = new Xdp2()
    const u8 = frame(IPV4, 6)
    expect(program.run(contextOf(u8))).toBe(XDP_DROP)
    expect([...u8.subarray(0, 6)]).toEqual([1, 2, 3, 4, 5, 6])
    expect(program.run(contextOf(u8, 10))).toBe(XDP_DROP)
  })
})

describe('constant programs and verdicts', () => {
  test('pass and drop whatever comes', () => {
    const context = contextOf(new Uint8Array(0))
    expect(xdpPass.run(context)).toBe(XDP_PASS)
    expect(xdpDrop.run(context)).toBe(XDP_DROP)
  })

  test('an unknown return value is XDP_ABORTED', () => {
    expect([-1, 5, 0xffffffff].map(normalizeVerdict)).toEqual([XDP_ABORTED, XDP_ABORTED, XDP_ABORTED])
    expect([0, 1, 2, 3, 4].map(normalizeVerdict)).toEqual([0, 1, 2, 3, 4])
  })
})

describe('formatRates', () => {
  test('prints a line for each protocol that moved, in the form of the kernel sample', () => {
    const previous = new Float64Array(256)
    const current = new Float64Array(256)
    previous[6] = current[6] = 5
    current[17] = 30_000_000
    current[1] = 3
    expect(formatRates(previous, current, 2)).toEqual(['proto 1:          1 pkt/s', 'proto 17:   15000000 pkt/s'])
  })
})
