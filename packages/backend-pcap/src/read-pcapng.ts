import { refused, VringError } from '@vring/layout'
import type { Capture, CapturedPacket, CaptureInterface } from './capture.ts'
import {
  BLOCK_ENHANCED_PACKET,
  BLOCK_INTERFACE,
  BLOCK_PACKET,
  BLOCK_SECTION,
  BLOCK_SIMPLE_PACKET,
  BYTE_ORDER_MAGIC,
  OPTION_END,
  OPTION_IF_NAME,
  OPTION_IF_TSOFFSET,
  OPTION_IF_TSRESOL,
  padded,
  TSRESOL_DEFAULT,
} from './pcapng-format.ts'

const BLOCK_FRAME_BYTES = 12
const SECTION_BYTES = 28
const NS_PER_S = 1_000_000_000n
/** A resolution finer than this is no clock. */
const RESOLUTION_EXPONENT_MAX = 63

/** An interface with what its timestamps mean. */
interface Interface extends CaptureInterface {
  readonly snapLength: number
  /** Ticks in a second. */
  readonly resolution: bigint
  /** Seconds to add. */
  readonly offset: bigint
}

/** Reads a pcapng file: any number of sections, each in its own byte order; unknown blocks are skipped. */
export function readPcapng(file: Uint8Array): Capture {
  const reader = new PcapngReader(file)
  const truncatedAt = reader.run()
  return {
    interfaces: reader.interfaces.map(({ name, linkType }) => ({ name, linkType })),
    packets: reader.packets,
    truncatedAt,
  }
}

class PcapngReader {
  readonly interfaces: Interface[] = []
  readonly packets: CapturedPacket[] = []
  readonly #file: Uint8Array
  readonly #view: DataView
  #little = true
  /** Interfaces of earlier sections: each section counts its own from 0. */
  #sectionBase = 0

  constructor(file: Uint8Array) {
    this.#file = file
    this.#view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  }

  /** @returns where the file stops in the middle of a block, or null */
  run(): number | null {
    for (let at = 0; at < this.#file.length; ) {
      const left = this.#file.length - at
      if (left < BLOCK_FRAME_BYTES) return at
      if (this.#view.getUint32(at, false) === BLOCK_SECTION) this.#byteOrder(at)
      const total = this.#word(at + 4)
      if (total < BLOCK_FRAME_BYTES || total % 4 !== 0)
        throw refused('ERR_INVALID_ARGUMENT', `pcapng block at ${at}: length`, total, 'a multiple of 4 from 12')
      if (total > left) return at
      if (this.#word(at + total - 4) !== total)
        throw refused(
          'ERR_INVALID_ARGUMENT',
          `pcapng block at ${at}: closing length`,
          this.#word(at + total - 4),
          String(total),
        )
      this.#block(this.#word(at), at, at + total - 4)
      at += total
    }
    return null
  }

  #word(at: number): number {
    return this.#view.getUint32(at, this.#little)
  }

  #byteOrder(at: number): void {
    const magic = this.#view.getUint32(at + 8, true)
    if (magic === BYTE_ORDER_MAGIC) this.#little = true
    else if (this.#view.getUint32(at + 8, false) === BYTE_ORDER_MAGIC) this.#little = false
    else throw refused('ERR_INVALID_ARGUMENT', `pcapng section at ${at}: byte-order magic`, magic, '0x1a2b3c4d')
  }

  /** One block; `end` is where its closing length is. */
  #block(type: number, at: number, end: number): void {
    const body = at + 8
    switch (type) {
      case BLOCK_SECTION:
        this.#need(at, end + 4 - at, SECTION_BYTES)
        this.#sectionBase = this.interfaces.length
        return
      case BLOCK_INTERFACE:
        this.#need(at, end - body, 8)
        this.#interface(at, body, end)
        return
      case BLOCK_ENHANCED_PACKET:
        this.#need(at, end - body, 20)
        this.#packet(at, this.#word(body), body + 4, body + 20, end)
        return
      case BLOCK_PACKET:
        this.#need(at, end - body, 20)
        this.#packet(at, this.#view.getUint16(body, this.#little), body + 4, body + 20, end)
        return
      case BLOCK_SIMPLE_PACKET:
        this.#need(at, end - body, 4)
        this.#simplePacket(at, body, end)
        return
    }
  }

  #need(at: number, have: number, want: number): void {
    if (have < want) throw refused('ERR_INVALID_ARGUMENT', `pcapng block at ${at}: bytes`, have, `${want} or more`)
  }

  #interface(at: number, body: number, end: number): void {
    let name = ''
    let exponent = TSRESOL_DEFAULT
    let offset = 0n
    for (let option = body + 8; option + 4 <= end; ) {
      const code = this.#view.getUint16(option, this.#little)
      const length = this.#view.getUint16(option + 2, this.#little)
      if (code === OPTION_END) break
      if (length > end - option - 4)
        throw refused(
          'ERR_INVALID_ARGUMENT',
          `pcapng block at ${at}: option ${code} length`,
          length,
          `0 to ${end - option - 4}`,
        )
      const value = option + 4
      if (code === OPTION_IF_NAME) name = new TextDecoder().decode(this.#file.subarray(value, value + length))
      else if (code === OPTION_IF_TSRESOL && length >= 1) exponent = this.#file[value]!
      else if (code === OPTION_IF_TSOFFSET && length >= 8) offset = this.#view.getBigInt64(value, this.#little)
      option = value + padded(length)
    }
    const power = exponent & 0x7f
    if (power > RESOLUTION_EXPONENT_MAX)
      throw refused(
        'ERR_INVALID_ARGUMENT',
        `pcapng block at ${at}: timestamp resolution`,
        exponent,
        'exponents up to 63',
      )
    this.interfaces.push({
      name,
      linkType: this.#view.getUint16(body, this.#little),
      snapLength: this.#word(body + 4),
      resolution: ((exponent & 0x80) === 0 ? 10n : 2n) ** BigInt(power),
      offset,
    })
  }

  #interfaceOf(at: number, id: number): Interface {
    const one = this.interfaces[this.#sectionBase + id]
    if (one === undefined)
      throw new VringError('ERR_INVALID_ARGUMENT', `pcapng block at ${at}: interface ${id} was not described before`, {
        field: 'interface',
        value: id,
      })
    return one
  }

  /** A packet whose timestamp is at `time`, in two words, lengths behind it, bytes at `data`. */
  #packet(at: number, id: number, time: number, data: number, end: number): void {
    const { resolution, offset } = this.#interfaceOf(at, id)
    const ticks = (BigInt(this.#word(time)) << 32n) | BigInt(this.#word(time + 4))
    const timestampNs = offset * NS_PER_S + (ticks * NS_PER_S) / resolution
    this.#push(at, id, timestampNs, this.#word(time + 8), this.#word(time + 12), data, end)
  }

  /** No interface, no timestamp, and the captured length follows from the snap length. */
  #simplePacket(at: number, body: number, end: number): void {
    const { snapLength } = this.#interfaceOf(at, 0)
    const original = this.#word(body)
    const captured = snapLength === 0 ? original : Math.min(original, snapLength)
    this.#push(at, 0, 0n, captured, original, body + 4, end)
  }

  #push(
    at: number,
    id: number,
    timestampNs: bigint,
    captured: number,
    original: number,
    data: number,
    end: number,
  ): void {
    if (captured > end - data)
      throw refused('ERR_INVALID_ARGUMENT', `pcapng block at ${at}: captured bytes`, captured, `0 to ${end - data}`)
    this.packets.push({
      interfaceId: this.#sectionBase + id,
      timestampNs,
      bytes: this.#file.subarray(data, data + captured),
      originalLength: original,
    })
  }
}
