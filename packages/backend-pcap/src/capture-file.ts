import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { VringError } from '@vring/layout'
import { PcapngEncoder, packetBlockBytes } from './pcapng-encoder.ts'
import { Timestamp } from './timestamp.ts'

/** Bytes of a frame that are kept by default: the longest GSO frame with room to spare. */
export const SNAP_BYTES_DEFAULT = 262_144
/** Bytes that gather before they are written. */
const BUFFER_BYTES = 1 << 20
const APPLICATION = 'vring'
/** Interface names are cut to this; a block with one takes less than {@link INTERFACE_BYTES}. */
const NAME_CHARACTERS_MAX = 256
const INTERFACE_BYTES = 2048

export interface CaptureFileOptions {
  /** Bytes of a frame that are kept at most, 1 to 262144; default all. */
  readonly snapBytes?: number
  /** Clock in ms since 1970; default the wall clock with the resolution of `performance.now`. */
  readonly nowMs?: () => number
}

/**
 * A pcapng file that several queues write to: one interface per queue and direction, ns timestamps. It never throws while
 * it captures: when the disk is full the file is cut back to its last whole block, `failure` says why, and further frames
 * are counted as lost.
 */
export class CaptureFile {
  readonly path: string
  /** Frames written or waiting to be written. */
  captured = 0
  /** Frames that did not get into the file. */
  lost = 0
  /** System error code that ended the capture (`ENOSPC`), or null. */
  failure: string | null = null
  private readonly snapBytes: number
  private readonly encoder = new PcapngEncoder(BUFFER_BYTES)
  private readonly timestamp: Timestamp
  private fd: number
  private interfaces = 0
  /** Bytes of whole blocks in the file. */
  private written = 0
  /** Frames that are in the buffer, and frames that were lost, of each interface. */
  private readonly buffered: number[] = []
  private readonly lostOf: number[] = []

  /** @throws VringError if the file can't be created */
  constructor(path: string, options: CaptureFileOptions = {}) {
    const { snapBytes = SNAP_BYTES_DEFAULT, nowMs } = options
    if (!(Number.isInteger(snapBytes) && snapBytes >= 1 && snapBytes <= SNAP_BYTES_DEFAULT))
      throw new VringError('ERR_OUT_OF_RANGE', `snapBytes is ${snapBytes}; accepted: 1 to ${SNAP_BYTES_DEFAULT}`, {
        field: 'snapBytes',
        value: snapBytes,
      })
    this.path = path
    this.snapBytes = snapBytes
    this.timestamp = new Timestamp(nowMs)
    try {
      this.fd = openSync(path, 'w')
    } catch (cause) {
      throw new VringError('ERR_SYSTEM', `capture file ${path} can't be created: ${errorCode(cause)}`, {
        field: 'path',
        value: path,
        cause,
      })
    }
    this.encoder.section(APPLICATION)
  }

  /** Describes one more interface. @returns its number */
  addInterface(name: string): number {
    if (!this.encoder.fits(INTERFACE_BYTES)) this.sync()
    this.encoder.interface(name.slice(0, NAME_CHARACTERS_MAX), this.snapBytes)
    this.buffered.push(0)
    this.lostOf.push(0)
    return this.interfaces++
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
  write(interfaceId: number, from: Uint8Array, offset: number, length: number, flags: number): boolean {
    const captured = Math.min(length, this.snapBytes)
    if (!this.encoder.fits(packetBlockBytes(captured))) this.sync()
    if (this.failure !== null) {
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
    const { bytes, length } = this.encoder
    if (this.fd >= 0 && this.failure === null) {
      try {
        // A regular file may take less than it was given.
        for (let done = 0; done < length; ) done += writeSync(this.fd, bytes, done, length - done)
        this.written += length
      } catch (cause) {
        this.fail(errorCode(cause))
      }
    }
    this.encoder.clear()
    this.buffered.fill(0)
  }

  /** Writes out the rest and closes the file; later frames are lost. */
  close(): void {
    if (this.fd < 0) return
    this.sync()
    closeSync(this.fd)
    this.fd = -1
    this.failure ??= 'CLOSED'
  }

  private lose(interfaceId: number, frames: number): void {
    this.lostOf[interfaceId]! += frames
    this.lost += frames
  }

  /** Leaves a file that readers accept: whatever was written of the last buffer is cut off. */
  private fail(code: string): void {
    this.failure = code
    for (const [interfaceId, frames] of this.buffered.entries()) {
      this.captured -= frames
      this.lose(interfaceId, frames)
    }
    try {
      ftruncateSync(this.fd, this.written)
    } catch {
      // Not a regular file: nothing to cut.
    }
  }
}

function errorCode(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? String(cause)
}
