import { memoryView } from '@vring/memory'
import { describe, expect, test } from 'vitest'
import { hex, view } from '../test/capture-fixture.ts'
import { PcapngEncoder, packetBlockBytes } from './index.ts'

describe('encoding', () => {
  test('an encoded packet has exactly the bytes that were foreseen', () => {
    for (const length of [0, 1, 3, 4, 60, 129, 1514]) {
      const encoder = new PcapngEncoder(4096)
      encoder.packet(0, 0, 0, view(9), 5, length, length, 2)
      expect(encoder.length).toBe(packetBlockBytes(length))
    }
  })

  test('a frame is the same from any place in memory, at any length, and nothing of what lies after it is kept', () => {
    const memory = memoryView(Uint8Array.from({ length: 2048 }, (_, i) => (i * 7 + (i >>> 8)) | 1).buffer)
    const encoder = new PcapngEncoder(4096)
    // Something of an earlier use.
    encoder.bytes.fill(0xaa)
    const block = (offset: number, length: number): Uint8Array => {
      encoder.clear()
      encoder.packet(0, 0, 0, memory, offset, length, length, 2)
      return encoder.bytes.slice(28, 28 + ((length + 3) & ~3))
    }
    for (let offset = 0; offset < 8; offset++)
      for (const length of [...Array(20).keys(), 59, 60, 61, 62, 255, 256, 257, 1513]) {
        const expected = new Uint8Array((length + 3) & ~3)
        expected.set(memory.u8.subarray(offset, offset + length))
        expect(hex(block(offset, length))).toBe(hex(expected))
      }
    // The memory's last word too.
    expect(hex(block(2048 - 61, 61))).toBe(`${hex(memory.u8.subarray(2048 - 61))}000000`)
  })
})
