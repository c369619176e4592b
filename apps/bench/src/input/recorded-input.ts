import { readFileSync } from 'node:fs'
import { LINKTYPE_ETHERNET, readCapture } from '@vring/backend-pcap'
import { ETH_HEADER_BYTES, isVringError, NET_HDR_MRG_BYTES } from '@vring/layout'
import { usageError } from '../bench-error.ts'
import { LAP_PACKETS } from '../in-process/lap-driver.ts'

/** The frames of a capture, as the driver of a cell sends them. */
export interface RecordedInput {
  /** In the order of the capture. */
  readonly frames: readonly Uint8Array[]
  /** Bytes of the longest frame. */
  readonly longestBytes: number
  /** Bytes of a frame in the mean of a lap: a lap that ends within the capture begins it again. */
  readonly meanBytes: number
}

/** Memory of the driver's buffers, in bytes: a cell's process stays below 250 MiB. */
const BUFFERS_BYTES_MAX = 64 << 20
const SLOT_BYTES_MIN = 2048

/**
 * Bytes from one buffer to the next. 2 KiB is what mbuf pools use; a power of two, so that no frame below a page
 * crosses one.
 *
 * @param bufferBytes of the longest one
 */
export function slotBytesFor(bufferBytes: number): number {
  return Math.max(SLOT_BYTES_MIN, 2 ** Math.ceil(Math.log2(bufferBytes)))
}

/**
 * Reads a pcapng or pcap file. Frames that are not Ethernet, or shorter than its header, are left out. One that was cut
 * while capturing is as long as what is left of it.
 *
 * @throws BenchError with exit code 2: unreadable, no capture, nothing to send, or more than the driver has memory for
 */
export function readInput(path: string): RecordedInput {
  const refuse = (problem: string): Error => usageError('--input', `${path}: ${problem}`)
  let file: Uint8Array
  try {
    file = readFileSync(path)
  } catch (error) {
    throw refuse(`can't be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`)
  }
  let capture: ReturnType<typeof readCapture>
  try {
    capture = readCapture(file)
  } catch (error) {
    throw isVringError(error) ? refuse(error.message) : error
  }
  const { interfaces, packets, truncatedAt } = capture
  const frames = packets
    .filter(({ interfaceId }) => interfaces[interfaceId]?.linkType === LINKTYPE_ETHERNET)
    .map(({ bytes }) => bytes)
    .filter(({ length }) => length >= ETH_HEADER_BYTES)
  if (frames.length === 0)
    throw refuse(
      truncatedAt === null
        ? 'has no Ethernet frames; accepted: pcapng or pcap with some'
        : `is truncated: it ends after ${file.length} bytes, before its first Ethernet frame is whole; accepted: pcapng or pcap with some`,
    )
  const longestBytes = frames.reduce((longest, { length }) => Math.max(longest, length), 0)
  const most = Math.min(LAP_PACKETS, Math.floor(BUFFERS_BYTES_MAX / slotBytesFor(NET_HDR_MRG_BYTES + longestBytes)))
  if (frames.length > most)
    throw refuse(
      `has ${frames.length} frames of up to ${longestBytes} bytes; accepted: up to ${most} of them (editcap -r cuts it)`,
    )
  let sum = 0
  for (let packet = 0; packet < LAP_PACKETS; packet++) sum += frames[packet % frames.length]!.length
  return { frames, longestBytes, meanBytes: sum / LAP_PACKETS }
}
