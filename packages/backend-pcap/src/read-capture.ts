import { refused } from '@vring/layout'
import type { Capture } from './capture.ts'
import { BLOCK_SECTION, PCAP_MAGIC_NS, PCAP_MAGIC_US } from './pcapng-format.ts'
import { readPcap } from './read-pcap.ts'
import { readPcapng } from './read-pcapng.ts'

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
