import { refused, VringError } from '@vring/layout'
import type { CaptureInterface } from './capture.ts'
import { type CaptureReader, type CaptureStep, RECORD_BYTES_MAX } from './capture-reader.ts'
import type { CaptureWindow } from './capture-window.ts'
import {
  BLOCK_ENHANCED_PACKET,
  BLOCK_INTERFACE,
  BLOCK_PACKET,
  BLOCK_SECTION,
  BLOCK_SIMPLE_PACKET,
  BYTE_ORDER_MAGIC,
} from './pcapng-format.ts'
import { type PcapngInterface, readPcapngInterface } from './pcapng-interface.ts'

const BLOCK_FRAME_BYTES = 12
const SECTION_BYTES = 28
const VERSION_MAJOR = 1
/** Interfaces that all sections together may describe. */
const INTERFACES_MAX = 65_536
const NS_PER_S = 1_000_000_000n
const MS_PER_S = 1000
const TWO_32 = 2 ** 32

/** Reads pcapng: any number of sections, each in its own byte order; unknown blocks are skipped. */
export class PcapngReader implements CaptureReader {
  readonly format = 'pcapng'
  readonly interfaces: CaptureInterface[] = []
  truncatedAt: number | null = null
  interfaceId = 0
  at = 0
  captured = 0
  original = 0
  timeMs: number = Number.NaN
  private readonly window: CaptureWindow
  private readonly clocks: PcapngInterface[] = []
  private little = true
  /** Interfaces of earlier sections: each section counts its own from 0. */
  private sectionBase = 0
  private ticksHigh = 0
  private ticksLow = 0
  /** Bytes of the block that the last step found. */
  private passed = 0

  constructor(window: CaptureWindow) {
    this.window = window
  }

  get bytes(): Uint8Array {
    return this.window.bytes
  }

  timestampNs(): bigint | null {
    if (Number.isNaN(this.timeMs)) return null
    const { resolution, offset } = this.clocks[this.interfaceId]!
    const ticks = (BigInt(this.ticksHigh) << 32n) | BigInt(this.ticksLow)
    return offset * NS_PER_S + (ticks * NS_PER_S) / resolution
  }

  step(): CaptureStep {
    const { window } = this
    if (this.truncatedAt !== null) return 'end'
    const start = window.position
    if (!window.skip(this.passed)) return this.cut(start)
    this.passed = 0
    if (!window.holds(BLOCK_FRAME_BYTES)) return window.held === 0 ? 'end' : this.cut(window.position)
    if (window.view.getUint32(window.at, false) === BLOCK_SECTION) this.byteOrder()
    const type = this.word(window.at)
    const total = this.word(window.at + 4)
    if (total < BLOCK_FRAME_BYTES || total % 4 !== 0) throw this.malformed('length', total, 'a multiple of 4 from 12')
    if (!this.isKnown(type)) {
      // Nothing of it is looked at: it may have any length.
      this.passed = total
      return 'other'
    }
    if (total > RECORD_BYTES_MAX) throw this.malformed('length', total, `up to ${RECORD_BYTES_MAX}`)
    if (!window.holds(total)) return this.cut(window.position)
    const closing = this.word(window.at + total - 4)
    if (closing !== total) throw this.malformed('closing length', closing, String(total))
    this.passed = total
    return this.block(type, window.at + 8, window.at + total - 4)
  }

  private cut(position: number): 'end' {
    this.truncatedAt = position
    return 'end'
  }

  private isKnown(type: number): boolean {
    return (
      type === BLOCK_SECTION ||
      type === BLOCK_INTERFACE ||
      type === BLOCK_ENHANCED_PACKET ||
      type === BLOCK_PACKET ||
      type === BLOCK_SIMPLE_PACKET
    )
  }

  private word(at: number): number {
    return this.window.view.getUint32(at, this.little)
  }

  private malformed(what: string, value: number | string, accepted: string): VringError {
    return refused('ERR_INVALID_ARGUMENT', `pcapng block at ${this.window.position}: ${what}`, value, accepted)
  }

  private byteOrder(): void {
    const { view, at, position } = this.window
    if (view.getUint32(at + 8, true) === BYTE_ORDER_MAGIC) this.little = true
    else if (view.getUint32(at + 8, false) === BYTE_ORDER_MAGIC) this.little = false
    else
      throw refused(
        'ERR_INVALID_ARGUMENT',
        `pcapng section at ${position}: byte-order magic`,
        `0x${view.getUint32(at + 8, true).toString(16)}`,
        '0x1a2b3c4d',
      )
  }

  /** One block; `end` is where its closing length is. */
  private block(type: number, body: number, end: number): CaptureStep {
    switch (type) {
      case BLOCK_SECTION:
        this.need(end + 12 - body, SECTION_BYTES)
        this.version(body + 4)
        this.sectionBase = this.interfaces.length
        return 'other'
      case BLOCK_INTERFACE:
        this.need(end - body, 8)
        this.describe(body, end)
        return 'other'
      case BLOCK_ENHANCED_PACKET:
        this.need(end - body, 20)
        return this.packet(this.word(body), body, end)
      case BLOCK_PACKET:
        this.need(end - body, 20)
        return this.packet(this.window.view.getUint16(body, this.little), body, end)
      default:
        this.need(end - body, 4)
        return this.simplePacket(body, end)
    }
  }

  private need(have: number, want: number): void {
    if (have < want) throw this.malformed('bytes', have, `${want} or more`)
  }

  /** Another major version has other blocks (draft-ietf-opsawg-pcapng section 4.1); minor ones may be read. */
  private version(at: number): void {
    const major = this.window.view.getUint16(at, this.little)
    const minor = this.window.view.getUint16(at + 2, this.little)
    if (major !== VERSION_MAJOR)
      throw refused(
        'ERR_INVALID_ARGUMENT',
        `pcapng section at ${this.window.position}: version`,
        `${major}.${minor}`,
        '1.x',
      )
  }

  private describe(body: number, end: number): void {
    if (this.interfaces.length === INTERFACES_MAX)
      throw this.malformed('interfaces', INTERFACES_MAX + 1, `up to ${INTERFACES_MAX}`)
    const one = readPcapngInterface(this.window.view, body, end, this.little, this.window.position)
    this.clocks.push(one)
    this.interfaces.push({ name: one.name, linkType: one.linkType })
  }

  private interfaceOf(id: number): PcapngInterface {
    const one = this.clocks[this.sectionBase + id]
    if (one === undefined)
      throw new VringError(
        'ERR_INVALID_ARGUMENT',
        `pcapng block at ${this.window.position}: interface ${id} was not described before`,
        { field: 'interface', value: id },
      )
    return one
  }

  /** Interface, timestamp (two words), captured and original length, bytes. */
  private packet(id: number, body: number, end: number): CaptureStep {
    const { resolution, offset } = this.interfaceOf(id)
    this.ticksHigh = this.word(body + 4)
    this.ticksLow = this.word(body + 8)
    const seconds = (this.ticksHigh * TWO_32 + this.ticksLow) / Number(resolution)
    this.timeMs = (Number(offset) + seconds) * MS_PER_S
    return this.take(id, this.word(body + 12), this.word(body + 16), body + 20, end)
  }

  /** No interface and no time of its own, and the captured length follows from the snap length. */
  private simplePacket(body: number, end: number): CaptureStep {
    const { snapLength } = this.interfaceOf(0)
    const original = this.word(body)
    this.timeMs = Number.NaN
    return this.take(0, snapLength === 0 ? original : Math.min(original, snapLength), original, body + 4, end)
  }

  private take(id: number, captured: number, original: number, data: number, end: number): CaptureStep {
    if (captured > end - data) throw this.malformed('captured bytes', captured, `0 to ${end - data}`)
    this.interfaceId = this.sectionBase + id
    this.at = data
    this.captured = captured
    this.original = original
    return 'packet'
  }
}
