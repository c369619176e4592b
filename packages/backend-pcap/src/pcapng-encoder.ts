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

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity)
    this.view = new DataView(this.bytes.buffer)
  }

  /** Whether `bytes` more fit. */
  fits(bytes: number): boolean {
    return bytes <= this.bytes.length - this.length
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
   * @param captured bytes from `from[offset]` on
   * @param original bytes that the frame had on its link
   * @param flags epb_flags
   */
  packet(
    interfaceId: number,
    timestampHigh: number,
    timestampLow: number,
    from: Uint8Array,
    offset: number,
    captured: number,
    original: number,
    flags: number,
  ): void {
    const start = this.begin(BLOCK_ENHANCED_PACKET)
    this.word(interfaceId)
    this.word(timestampHigh)
    this.word(timestampLow)
    this.word(captured)
    this.word(original)
    copy(this.bytes, this.length, from, offset, captured)
    this.pad(captured)
    this.half(OPTION_EPB_FLAGS)
    this.half(4)
    this.word(flags)
    this.endOptions()
    this.end(start)
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

/** Short frames byte by byte, which is faster than making a subarray; long ones with one call. */
const COPY_LOOP_MAX = 128

function copy(to: Uint8Array, at: number, from: Uint8Array, offset: number, bytes: number): void {
  if (bytes > COPY_LOOP_MAX) to.set(from.subarray(offset, offset + bytes), at)
  else for (let i = 0; i < bytes; i++) to[at + i] = from[offset + i]!
}
