import { isVringError } from '@vring/layout'
import { bytesSource } from './byte-source.ts'
import type { Capture, CapturedPacket } from './capture.ts'
import { openCapture } from './open-capture.ts'

/**
 * Reads a whole capture into memory: what {@link openCapture} accepts. A file that stops in the middle, or has something
 * malformed in it, gives the packets before that.
 *
 * @throws VringError for an unknown format; naming the offset of what is malformed before the first packet
 */
export function readCapture(file: Uint8Array): Capture {
  const reader = openCapture(bytesSource(file))
  const packets: CapturedPacket[] = []
  let malformed: string | null = null
  try {
    for (let step = reader.step(); step !== 'end'; step = reader.step()) {
      if (step === 'other') continue
      const { interfaceId, bytes, at, captured, original } = reader
      packets.push({
        interfaceId,
        timestampNs: reader.timestampNs(),
        bytes: bytes.slice(at, at + captured),
        originalLength: original,
      })
    }
  } catch (error) {
    if (packets.length === 0 || !isVringError(error)) throw error
    malformed = error.message
  }
  return { interfaces: reader.interfaces, packets, truncatedAt: reader.truncatedAt, malformed }
}
