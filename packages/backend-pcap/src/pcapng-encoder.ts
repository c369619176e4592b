import type { MemoryView } from '@vring/memory'
import {
  BLOCK_ENHANCED_PACKET,
  BLOCK_INTERFACE,
  BLOCK_SECTION,
  BYTE_ORDER_MAGIC,
  LINKTYPE_ETHERNET,
  OPTION_END,
  OPTION_EPB_FLAGS,
  OPTION_IF_NAME,
  OPTION_IF_TSRESOL,
  OPTION_SHB_USERAPPL,
  padded,
  TSRESOL_NS,
} from './pcapng-format.ts'

/** Type, length and closing length of a block. */
const BLOCK_FRAME_BYTES = 12
/** Fixed fields of an Enhanced Packet Block: interface, timestamp (2), captured and original length. */
const PACKET_FIELD_BYTES = 20
/** The flags option and the end of options. */
const PACKET_OPTION_BYTES = 12

/** Bytes that a frame of `length` takes in the file. */
export function packetBlockBytes(length: number): number {
  return BLOCK_FRAME_BYTES + PACKET_FIELD_BYTES + padded(length) + PACKET_OPTION_BYTES
}

/**
 * Writes pcapng blocks to the end of a buffer, little-endian, as the host is. Hot for packets: no allocation.
 *
 * ```
 *   | type | length | body, padded to 4 | options ... | length |
 * ```
 */
export class PcapngEncoder {
  /** Bytes written since the last {@link clear}. */
  length = 0
  readonly bytes: Uint8Array
  private readonly view: DataView
  /** Blocks begin and end at whole words. */
  private readonly words: Uint32Array

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity)
    this.view = new DataView(this.bytes.buffer)
    this.words = new Uint32Array(this.bytes.buffer)
  }

  clear(): void {
    this.length = 0
  }

  /** Section Header Block of unknown length, version 1.0. */
  section(application: string): void {
    const start = this.begin(BLOCK_SECTION)
    this.word(BYTE_ORDER_MAGIC)
    this.half(1)
    this.half(0)
    this.word(0xffff_ffff)
    this.word(0xffff_ffff)
    this.option(OPTION_SHB_USERAPPL, new TextEncoder().encode(application))
    this.endOptions()
    this.end(start)
  }

  /** Interface Description Block: Ethernet with nanosecond timestamps. */
  interface(name: string, snapLength: number): void {
    const start = this.begin(BLOCK_INTERFACE)
    this.half(LINKTYPE_ETHERNET)
    this.half(0)
    this.word(snapLength)
    this.option(OPTION_IF_NAME, new TextEncoder().encode(name))
    this.option(OPTION_IF_TSRESOL, Uint8Array.of(TSRESOL_NS))
    this.endOptions()
    this.end(start)
  }

  /**
   * Enhanced Packet Block. The bytes are copied once; what they change to afterwards does not matter.
   *
   * @param timestampHigh upper 32 bits of the time in ns since 1970
   * @param captured bytes from byte `offset` of `from` on
   * @param original bytes that the frame had on its link
   * @param flags epb_flags
   */
  packet(
    interfaceId: number,
    timestampHigh: number,
    timestampLow: number,
    from: MemoryView,
    offset: number,
    captured: number,
    original: number,
    flags: number,
  ): void {
    const { words } = this
    const at = this.length >>> 2
    const total = packetBlockBytes(captured)
    words[at] = BLOCK_ENHANCED_PACKET
    words[at + 1] = total
    words[at + 2] = interfaceId
    words[at + 3] = timestampHigh
    words[at + 4] = timestampLow
    words[at + 5] = captured
    words[at + 6] = original
    const end = at + 7 + (padded(captured) >>> 2)
    // Zeros after the frame, where it is no whole number of words.
    words[end - 1] = 0
    if (captured > COPY_LOOP_MAX) this.bytes.set(from.u8.subarray(offset, offset + captured), this.length + 28)
    else copyWords(words, at + 7, from, offset, captured)
    words[end] = FLAGS_OPTION
    words[end + 1] = flags
    words[end + 2] = OPTION_END
    words[end + 3] = total
    this.length += total
  }

  private begin(type: number): number {
    const start = this.length
    this.word(type)
    this.word(0)
    return start
  }

  private end(start: number): void {
    const total = this.length + 4 - start
    this.word(total)
    this.view.setUint32(start + 4, total, true)
  }

  private option(code: number, value: Uint8Array): void {
    this.half(code)
    this.half(value.length)
    this.bytes.set(value, this.length)
    this.pad(value.length)
  }

  private endOptions(): void {
    this.word(OPTION_END)
  }

  /** Goes on after `bytes` that were put here, with zeros up to a whole word. */
  private pad(bytes: number): void {
    this.bytes.fill(0, this.length + bytes, this.length + padded(bytes))
    this.length += padded(bytes)
  }

  private half(value: number): void {
    this.view.setUint16(this.length, value, true)
    this.length += 2
  }

  private word(value: number): void {
    this.view.setUint32(this.length, value, true)
    this.length += 4
  }
}

/** Short frames word by word, which is faster than making a subarray; long ones with one call. */
const COPY_LOOP_MAX = 256
/** epb_flags, of four bytes, as one word. */
const FLAGS_OPTION = OPTION_EPB_FLAGS | (4 << 16)

/** Most frames begin at a whole word: then 16 loads for 64 bytes, not 64. */
function copyWords(to: Uint32Array, at: number, from: MemoryView, offset: number, bytes: number): void {
  const whole = bytes >>> 2
  const { u8 } = from
  if ((offset & 3) === 0) {
    const { u32 } = from
    const first = offset >>> 2
    for (let i = 0; i < whole; i++) to[at + i] = u32[first + i]!
  } else
    for (let i = 0, b = offset; i < whole; i++, b += 4)
      to[at + i] = u8[b]! | (u8[b + 1]! << 8) | (u8[b + 2]! << 16) | (u8[b + 3]! << 24)
  const rest = bytes & 3
  if (rest === 0) return
  const last = offset + 4 * whole
  to[at + whole] = u8[last]! | (rest > 1 ? u8[last + 1]! << 8 : 0) | (rest > 2 ? u8[last + 2]! << 16 : 0)
}
