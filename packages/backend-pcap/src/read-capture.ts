import { refused } from '@vring/layout'
import { BLOCK_SECTION, PCAP_MAGIC_NS, PCAP_MAGIC_US } from './pcapng-format.ts'
import { readPcap } from './read-pcap.ts'
import { readPcapng } from './read-pcapng.ts'

/** An interface that a capture names; classic pcap has one without a name. */
export interface CaptureInterface {
  readonly name: string
  /** LINKTYPE_ number; 1 is Ethernet. */
  readonly linkType: number
}

export interface CapturedPacket {
  /** Index into the capture's interfaces. */
  readonly interfaceId: number
  /** Since 1970, in ns; 0n if the capture does not say. */
  readonly timestampNs: bigint
  /** What was captured: a view of the file's bytes. */
  readonly bytes: Uint8Array
  /** Bytes that the frame had on its link; more than `bytes.length` if it was cut. */
  readonly originalLength: number
}

export interface Capture {
  readonly interfaces: readonly CaptureInterface[]
  readonly packets: readonly CapturedPacket[]
  /** Where the file stops in the middle of a record, as a capture that was killed does; null: it is whole. */
  readonly truncatedAt: number | null
}

/**
 * Reads a capture: pcapng or classic pcap, in either byte order. A file that stops in the middle gives what is whole.
 *
 * @throws VringError naming the offset of what is malformed
 */
export function readCapture(file: Uint8Array): Capture {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const magic = file.length < 4 ? 0 : view.getUint32(0, false)
  if (magic === BLOCK_SECTION) return readPcapng(file)
  const swapped = file.length < 4 ? 0 : view.getUint32(0, true)
  if (magic === PCAP_MAGIC_US || magic === PCAP_MAGIC_NS) return readPcap(file, false)
  if (swapped === PCAP_MAGIC_US || swapped === PCAP_MAGIC_NS) return readPcap(file, true)
  throw refused('ERR_INVALID_ARGUMENT', 'capture file', `${file.length} bytes of an unknown format`, 'pcapng, pcap')
}
