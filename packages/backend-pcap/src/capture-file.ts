import { refused, VringError } from '@vring/layout'
import type { MemoryView } from '@vring/memory'
import { type CaptureOutput, openCaptureOutput } from './capture-output.ts'
import { PcapngEncoder, packetBlockBytes } from './pcapng-encoder.ts'
import { Timestamp } from './timestamp.ts'

/** Bytes of a frame that are kept by default: the longest GSO frame with room to spare. */
export const SNAP_BYTES_DEFAULT = 262_144
/** The least that a file is rotated at: what gathers before it is written. */
export const ROTATE_BYTES_MIN: number = 1 << 20
/** Bytes that gather before they are written. */
const BUFFER_BYTES = 1 << 20
const APPLICATION = 'vring'
/** Interface names are cut to this; a block with one takes less than {@link INTERFACE_BYTES}. */
const NAME_CHARACTERS_MAX = 256
const INTERFACE_BYTES = 2048
const SECTION_BYTES = 256

export interface CaptureFileOptions {
  /** Bytes of a frame that are kept at most, 1 to 262144; default all. */
  readonly snapBytes?: number
  /** Replace a file that is there; default it is refused. */
  readonly overwrite?: boolean
  /**
   * Begin another file before one exceeds this many bytes, at least {@link ROTATE_BYTES_MIN}: `name_00001.pcapng`.
   * Default one file.
   */
  readonly rotateBytes?: number
  /** With `rotateBytes`: files that are kept, the oldest of this capture is deleted. Default all. */
  readonly files?: number
  /** Clock in ms since 1970; default the wall clock with the resolution of `performance.now`. */
  readonly nowMs?: () => number
  /** Frames begin to be lost for this reason, `ENOSPC`, `no-reader`, `slow-reader`; or no longer, null. */
  readonly onTrouble?: (reason: string | null) => void
}

/**
 * A pcapng file, or a FIFO that a program reads along, which several queues write to: one interface per queue and
 * direction, ns timestamps. It never throws while it captures: frames that can't be written are counted as lost, and
 * `trouble` says why. A full disk leaves a file that ends with its last whole block.
 */
export class CaptureFile {
  readonly path: string
  /** Frames written or waiting to be written. */
  captured = 0
  /** Frames that did not get into the file. */
  lost = 0
  /** Why frames are lost now, or null. */
  trouble: string | null = null
  private readonly snapBytes: number
  private readonly encoder = new PcapngEncoder(BUFFER_BYTES)
  private readonly timestamp: Timestamp
  private readonly output: CaptureOutput
  private readonly onTrouble: (reason: string | null) => void
  private readonly names: string[] = []
  private readonly rotateBytes: number
  /** Bytes that may gather, so that a file is not longer than asked for; none before the first frame. */
  private room = 0
  /** What each file begins with, from the first frame on. */
  private preamble: Uint8Array | null = null
  /** Bytes of the buffer that a slow reader has taken. */
  private taken = 0
  private closed = false
  /** Frames that are in the buffer, and frames that were lost, of each interface. */
  private readonly buffered: number[] = []
  private readonly lostOf: number[] = []

  /** @throws VringError ERR_OUT_OF_RANGE for an option; ERR_SYSTEM if the file can't be created, `EEXIST`: it is there */
  constructor(path: string, options: CaptureFileOptions = {}) {
    const { snapBytes = SNAP_BYTES_DEFAULT, rotateBytes = null, files = null, overwrite = false } = options
    inRange('snapBytes', snapBytes, 1, SNAP_BYTES_DEFAULT)
    if (rotateBytes !== null) inRange('rotateBytes', rotateBytes, ROTATE_BYTES_MIN, Number.MAX_SAFE_INTEGER)
    if (files !== null) inRange('files', files, 1, 100_000)
    if (files !== null && rotateBytes === null)
      throw refused('ERR_INVALID_ARGUMENT', 'files', files, 'together with rotateBytes')
    this.path = path
    this.snapBytes = snapBytes
    this.rotateBytes = rotateBytes ?? Number.POSITIVE_INFINITY
    this.timestamp = new Timestamp(options.nowMs)
    this.onTrouble = options.onTrouble ?? (() => {})
    this.output = openCaptureOutput(path, { overwrite, rotateBytes, files })
  }

  /**
   * Describes one more interface, before the first frame.
   *
   * @returns its number
   * @throws VringError ERR_INVALID_STATE after the first frame: a file begins with its interfaces
   */
  addInterface(name: string): number {
    if (this.preamble !== null)
      throw new VringError(
        'ERR_INVALID_STATE',
        `capture ${this.path}: interfaces are described before the first frame`,
        {
          field: 'interface',
          value: name,
        },
      )
    this.names.push(name.slice(0, NAME_CHARACTERS_MAX))
    this.buffered.push(0)
    this.lostOf.push(0)
    return this.names.length - 1
  }

  /** Frames of one interface that did not get into the file; those that wait to be written count as captured. */
  lostFrames(interfaceId: number): number {
    return this.lostOf[interfaceId]!
  }

  /** Takes the time for the frames that follow: once for a batch, which arrives at once. */
  stamp(): void {
    this.timestamp.take()
  }

  /** Keeps one frame. @returns false: it is lost */
  write(interfaceId: number, from: MemoryView, offset: number, length: number, flags: number): boolean {
    const captured = Math.min(length, this.snapBytes)
    if (this.closed || !this.hasRoom(packetBlockBytes(captured))) {
      this.lose(interfaceId, 1)
      return false
    }
    const { high, low } = this.timestamp
    this.encoder.packet(interfaceId, high, low, from, offset, captured, length, flags)
    this.buffered[interfaceId]!++
    this.captured++
    return true
  }

  /** Writes out what has gathered. */
  sync(): void {
    if (this.closed) return
    const { bytes, length } = this.encoder
    // Also with nothing in it: a file without frames is a capture too, and a reader may have come.
    const taken = this.output.write(this.begin(), bytes, this.taken, length)
    if (taken < 0) this.loseBuffered()
    else this.taken += taken
    if (taken >= 0 && this.taken < length) {
      this.say('slow-reader')
      return
    }
    this.encoder.clear()
    this.taken = 0
    this.buffered.fill(0)
    this.say(this.output.trouble)
  }

  /** Writes out the rest and closes the file; later frames are lost. */
  close(): void {
    if (this.closed) return
    this.sync()
    this.closed = true
    this.output.close()
    this.trouble ??= 'CLOSED'
  }

  private hasRoom(bytes: number): boolean {
    if (this.encoder.length + bytes <= this.room) return true
    if (this.preamble === null) this.begin()
    else this.sync()
    return this.encoder.length + bytes <= this.room
  }

  private begin(): Uint8Array {
    if (this.preamble !== null) return this.preamble
    const encoder = new PcapngEncoder(SECTION_BYTES + INTERFACE_BYTES * this.names.length)
    encoder.section(APPLICATION)
    for (const name of this.names) encoder.interface(name, this.snapBytes)
    this.preamble = encoder.bytes.slice(0, encoder.length)
    this.room = Math.min(BUFFER_BYTES, this.rotateBytes - encoder.length)
    return this.preamble
  }

  private say(trouble: string | null): void {
    if (trouble === this.trouble) return
    this.trouble = trouble
    this.onTrouble(trouble)
  }

  private lose(interfaceId: number, frames: number): void {
    this.lostOf[interfaceId]! += frames
    this.lost += frames
  }

  private loseBuffered(): void {
    for (const [interfaceId, frames] of this.buffered.entries()) {
      this.captured -= frames
      this.lose(interfaceId, frames)
    }
  }
}

function inRange(field: string, value: number, least: number, most: number): void {
  if (!(Number.isInteger(value) && value >= least && value <= most))
    throw refused('ERR_OUT_OF_RANGE', field, value, `${least} to ${most}`)
}
