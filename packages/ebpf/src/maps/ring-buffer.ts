import { EINVAL, refused } from '@vring/layout'
import { BaseMap } from './base-map.ts'
import type { EbpfMapDefinition } from './ebpf-map.ts'

const HEADER_BYTES = 8
const BUSY = 0x8000_0000
const DISCARDED = 0x4000_0000
const LENGTH_MASK = 0x3fff_ffff
const PAGE_BYTES = 4096
const SIZE_MAX = 1 << 28

/**
 * Records in order, from programs to one reader. Source: Linux kernel/bpf/ringbuf.c.
 *
 * ```
 *   | length and flags: 8 bytes | record, to a multiple of 8 | next header | ...
 *   ^ consumer                                                 ^ producer
 * ```
 *
 * Positions count on for ever; a place is a position modulo the size. The memory is twice the size. So a record that
 * reaches the end goes on after it, in one piece. Its bytes at the start stay unused until it is consumed.
 */
export class RingBuffer extends BaseMap {
  readonly values: Uint8Array
  readonly bytes: number
  /** Bytes that programs have reserved, and that the reader has consumed. */
  producer = 0
  consumer = 0
  private readonly view: DataView

  constructor(definition: EbpfMapDefinition) {
    super(definition)
    const { name, maxEntries, keyBytes, valueBytes } = definition
    if (keyBytes !== 0 || valueBytes !== 0)
      throw refused('ERR_INVALID_ARGUMENT', `map ${name}: key and value size`, `${keyBytes}, ${valueBytes}`, '0, 0')
    const isPower = (maxEntries & (maxEntries - 1)) === 0
    if (!isPower || maxEntries < PAGE_BYTES || maxEntries > SIZE_MAX)
      throw refused('ERR_OUT_OF_RANGE', `map ${name}: max entries`, maxEntries, 'a power of two from 4096 to 2^28')
    this.bytes = maxEntries
    this.values = new Uint8Array(2 * maxEntries)
    this.view = new DataView(this.values.buffer)
  }

  /** Room for a record. @returns its byte offset in `values`, or -1: there is none */
  reserve(bytes: number): number {
    const total = (bytes + HEADER_BYTES + 7) & ~7
    if (bytes > LENGTH_MASK || total > this.bytes - (this.producer - this.consumer)) return -1
    const at = this.producer % this.bytes
    this.view.setUint32(at, bytes + BUSY, true)
    this.view.setUint32(at + 4, 0, true)
    this.producer += total
    return at + HEADER_BYTES
  }

  /** The record at an offset is written, and may be read. */
  submit(offset: number): void {
    this.view.setUint32(offset - HEADER_BYTES, this.lengthAt(offset - HEADER_BYTES), true)
  }

  /** The record at an offset is none: the reader passes over it. */
  discard(offset: number): void {
    this.view.setUint32(offset - HEADER_BYTES, this.lengthAt(offset - HEADER_BYTES) + DISCARDED, true)
  }

  /**
   * Reads what programs have submitted, oldest first, up to the first record that is still being written.
   *
   * @param read gets a view of the record, which holds until it returns
   * @returns records that were read
   */
  drain(read: (record: Uint8Array) => void): number {
    let count = 0
    while (this.consumer < this.producer) {
      const at = this.consumer % this.bytes
      const header = this.view.getUint32(at, true)
      if (header >= BUSY) break
      const length = header & LENGTH_MASK
      if ((header & DISCARDED) === 0) {
        read(this.values.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length))
        count++
      }
      this.consumer += (length + HEADER_BYTES + 7) & ~7
    }
    return count
  }

  find(): number {
    return -1
  }

  update(): number {
    return EINVAL
  }

  delete(): number {
    return EINVAL
  }

  keys(): Uint8Array[] {
    return []
  }

  private lengthAt(header: number): number {
    return this.view.getUint32(header, true) & LENGTH_MASK
  }
}
