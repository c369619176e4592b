import { describe, expect, it } from 'vitest'
import { encodeIndirectTable } from './index.ts'

const BUFFERS = [
  { address: 0x1_2345_6789, length: 12 },
  { address: 0x2000, length: 0xffff_ffff, writable: true },
]

/** Address, length, and the two halves of the last word of each descriptor. */
function read(table: Uint8Array): unknown[] {
  const view = new DataView(table.buffer)
  return Array.from({ length: table.length / 16 }, (_, i) => [
    Number(view.getBigUint64(16 * i, true)),
    view.getUint32(16 * i + 8, true),
    view.getUint16(16 * i + 12, true),
    view.getUint16(16 * i + 14, true),
  ])
}

describe('an indirect table', () => {
  it('virtio 1.3 2.7.5.3 of a split ring: flags, and each descriptor names the next one', () => {
    expect(read(encodeIndirectTable('split', BUFFERS))).toEqual([
      [0x1_2345_6789, 12, 1, 1],
      [0x2000, 0xffff_ffff, 2, 0],
    ])
  })

  it('virtio 1.3 2.8.7 of a packed ring: an id that says nothing, and of the flags WRITE', () => {
    expect(read(encodeIndirectTable('packed', BUFFERS))).toEqual([
      [0x1_2345_6789, 12, 0, 0],
      [0x2000, 0xffff_ffff, 0, 2],
    ])
  })

  it('of no buffers has no bytes', () => {
    expect(encodeIndirectTable('split', []).length).toBe(0)
  })
})
