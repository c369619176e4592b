import { refused } from '@vring/layout'
import type { Capture, CapturedPacket } from './capture.ts'
import { PCAP_MAGIC_NS } from './pcapng-format.ts'

const HEADER_BYTES = 24
const RECORD_BYTES = 16
const NS_PER_S = 1_000_000_000n
const NS_PER_US = 1000n
/** The longest record that a file may claim, as libpcap limits it. */
const CAPTURED_MAX = 256 * 1024 * 1024

/** Reads a classic pcap file whose magic was recognised. */
export function readPcap(file: Uint8Array, littleEndian: boolean): Capture {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  if (file.length < HEADER_BYTES) return { interfaces: [], packets: [], truncatedAt: 0 }
  const unit = view.getUint32(0, littleEndian) === PCAP_MAGIC_NS ? 1n : NS_PER_US
  // The upper half of the field carries the length of frame checksums.
  const interfaces = [{ name: '', linkType: view.getUint32(20, littleEndian) & 0xffff }]
  const packets: CapturedPacket[] = []
  let at = HEADER_BYTES
  while (at < file.length) {
    if (file.length - at < RECORD_BYTES) return { interfaces, packets, truncatedAt: at }
    const captured = view.getUint32(at + 8, littleEndian)
    if (captured > CAPTURED_MAX)
      throw refused('ERR_INVALID_ARGUMENT', `pcap record at ${at}: captured bytes`, captured, `0 to ${CAPTURED_MAX}`)
    if (captured > file.length - at - RECORD_BYTES) return { interfaces, packets, truncatedAt: at }
    packets.push({
      interfaceId: 0,
      timestampNs:
        BigInt(view.getUint32(at, littleEndian)) * NS_PER_S + BigInt(view.getUint32(at + 4, littleEndian)) * unit,
      bytes: file.subarray(at + RECORD_BYTES, at + RECORD_BYTES + captured),
      originalLength: view.getUint32(at + 12, littleEndian),
    })
    at += RECORD_BYTES + captured
  }
  return { interfaces, packets, truncatedAt: null }
}
