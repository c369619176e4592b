import { refused } from '@vring/layout'
import type { CaptureInterface } from './capture.ts'
import { type CaptureReader, type CaptureStep, RECORD_BYTES_MAX } from './capture-reader.ts'
import type { CaptureWindow } from './capture-window.ts'
import { PCAP_MAGIC_NS } from './pcapng-format.ts'

const HEADER_BYTES = 24
const RECORD_BYTES = 16
const VERSION_MAJOR = 2
const MS_PER_S = 1000
const NS_PER_S = 1_000_000_000n

/** Reads classic pcap, whose magic was recognised. */
export class PcapReader implements CaptureReader {
  readonly format = 'pcap'
  readonly interfaces: CaptureInterface[] = []
  readonly interfaceId = 0
  truncatedAt: number | null = null
  at = 0
  captured = 0
  original = 0
  private readonly window: CaptureWindow
  private readonly little: boolean
  /** Units of the fraction in a second. */
  private readonly units: number
  private seconds = 0
  private fraction = 0
  /** Bytes of the record that the last step found. */
  private passed = 0

  /** @throws VringError for another version */
  constructor(window: CaptureWindow, littleEndian: boolean) {
    this.window = window
    this.little = littleEndian
    this.units = 1e6
    if (!window.holds(HEADER_BYTES)) {
      this.truncatedAt = 0
      return
    }
    const { view, at } = window
    if (view.getUint32(at, littleEndian) === PCAP_MAGIC_NS) this.units = 1e9
    const major = view.getUint16(at + 4, littleEndian)
    if (major !== VERSION_MAJOR)
      throw refused('ERR_INVALID_ARGUMENT', 'pcap version', `${major}.${view.getUint16(at + 6, littleEndian)}`, '2.x')
    // The upper half of the field carries the length of frame checksums.
    this.interfaces.push({ name: '', linkType: view.getUint32(at + 20, littleEndian) & 0xffff })
    window.skip(HEADER_BYTES)
  }

  get bytes(): Uint8Array {
    return this.window.bytes
  }

  get timeMs(): number {
    return this.seconds * MS_PER_S + (this.fraction * MS_PER_S) / this.units
  }

  timestampNs(): bigint {
    return BigInt(this.seconds) * NS_PER_S + (BigInt(this.fraction) * NS_PER_S) / BigInt(this.units)
  }

  step(): CaptureStep {
    const { window, little } = this
    if (this.truncatedAt !== null) return 'end'
    window.skip(this.passed)
    this.passed = 0
    if (!window.holds(RECORD_BYTES)) {
      if (window.held > 0) this.truncatedAt = window.position
      return 'end'
    }
    const captured = window.view.getUint32(window.at + 8, little)
    if (captured > RECORD_BYTES_MAX)
      throw refused(
        'ERR_INVALID_ARGUMENT',
        `pcap record at ${window.position}: captured bytes`,
        captured,
        `0 to ${RECORD_BYTES_MAX}`,
      )
    if (!window.holds(RECORD_BYTES + captured)) {
      this.truncatedAt = window.position
      return 'end'
    }
    const { view, at } = window
    this.seconds = view.getUint32(at, little)
    this.fraction = view.getUint32(at + 4, little)
    this.captured = captured
    this.original = view.getUint32(at + 12, little)
    this.at = at + RECORD_BYTES
    this.passed = RECORD_BYTES + captured
    return 'packet'
  }
}
