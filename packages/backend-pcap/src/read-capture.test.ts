import { isVringError } from '@vring/layout'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fixture, hex } from '../test/capture-fixture.ts'
import { readCapture } from './index.ts'

describe('reading', () => {
  test('a classic pcap of tcpdump: six frames, of which two are tagged, with ns timestamps', () => {
    const { interfaces, packets, truncatedAt } = readCapture(fixture('tcpdump.pcap'))
    expect(interfaces).toEqual([{ name: '', linkType: 1 }])
    expect(truncatedAt).toBeNull()
    expect(packets.length).toBe(6)
    const types = packets.map(({ bytes }) => (bytes[12]! << 8) | bytes[13]!)
    expect(types.filter((type) => type === 0x8100).length).toBe(2)
    expect(packets.every(({ timestampNs }, i) => i === 0 || timestampNs! >= packets[i - 1]!.timestampNs!)).toBe(true)
    expect(packets.some(({ timestampNs }) => timestampNs! % 1000n !== 0n)).toBe(true)
  })

  test('a pcapng of dumpcap: the same frames, and the name of the interface', () => {
    const capture = readCapture(fixture('dumpcap.pcapng'))
    expect(capture.interfaces.map(({ name }) => name)).toEqual(['right'])
    expect(capture.packets.map(({ bytes }) => hex(bytes))).toEqual(
      readCapture(fixture('tcpdump.pcap')).packets.map(({ bytes }) => hex(bytes)),
    )
  })

  test('pcapng in the other byte order, with microseconds, a clock offset and simple packets', () => {
    const words: number[] = []
    const block = (type: number, body: number[]): void => {
      const total = 12 + body.length * 4
      words.push(type, total, ...body, total)
    }
    block(0x0a0d0d0a, [0x1a2b3c4d, 0x0001_0000, 0xffffffff, 0xffffffff])
    // tsresol 6, tsoffset 100 s
    block(1, [0x0001_0000, 20, 0x0009_0001, 0x0600_0000, 0x000e_0008, 0, 100, 0])
    block(6, [0, 0, 2_000_001, 4, 60, 0xaabbccdd])
    block(0x0bad, [1, 2, 3])
    block(3, [24, 0x01020304, 0, 0, 0, 0])
    const file = new Uint8Array(words.length * 4)
    const view = new DataView(file.buffer)
    words.forEach((word, i) => {
      view.setUint32(i * 4, word, false)
    })
    const { packets } = readCapture(file)
    expect(
      packets.map(({ timestampNs, bytes, originalLength }) => [timestampNs, bytes.length, originalLength]),
    ).toEqual([
      [102_000_001_000n, 4, 60],
      [null, 20, 24],
    ])
    expect(hex(packets[0]!.bytes)).toBe('aabbccdd')
  })

  test('a big-endian classic pcap with microseconds', () => {
    const file = new Uint8Array(24 + 16 + 14)
    const view = new DataView(file.buffer)
    view.setUint32(0, 0xa1b2c3d4)
    view.setUint16(4, 2)
    view.setUint32(20, 1)
    view.setUint32(24, 3)
    view.setUint32(28, 5)
    view.setUint32(32, 14)
    view.setUint32(36, 99)
    const { packets } = readCapture(file)
    expect(packets.map(({ timestampNs, originalLength }) => [timestampNs, originalLength])).toEqual([
      [3_000_005_000n, 99],
    ])
  })

  test.each(['tcpdump.pcap', 'dumpcap.pcapng'])('%s cut anywhere gives the frames that are whole', (name) => {
    const file = fixture(name)
    const whole = readCapture(file).packets.map(({ bytes }) => hex(bytes))
    for (let length = 32; length < file.length; length += 7) {
      const { packets, truncatedAt } = readCapture(file.subarray(0, length))
      expect(packets.map(({ bytes }) => hex(bytes))).toEqual(whole.slice(0, packets.length))
      if (truncatedAt !== null) expect(truncatedAt).toBeLessThan(length)
    }
    expect(readCapture(file.subarray(0, file.length - 1)).truncatedAt).not.toBeNull()
  })

  test('any bytes after a known magic are read, or refused with a VringError', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('tcpdump.pcap', 'dumpcap.pcapng'),
        fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        (name, changes) => {
          const file = fixture(name).slice()
          for (const [at, value] of changes) if (at >= 4 && at < file.length) file[at] = value
          try {
            readCapture(file)
          } catch (error) {
            expect(isVringError(error)).toBe(true)
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  test('what is no capture is refused', () => {
    expect(() => readCapture(new Uint8Array(3))).toThrow(/accepted: pcapng, pcap/)
    expect(() => readCapture(new Uint8Array(64))).toThrow(/unknown format/)
  })
})
