import { refused } from '@vring/layout'
import type { ByteSource } from './byte-source.ts'
import type { CaptureReader } from './capture-reader.ts'
import { CaptureWindow } from './capture-window.ts'
import { GZIP_MAGIC, gunzipSource } from './gunzip-source.ts'
import { PcapReader } from './pcap-reader.ts'
import { BLOCK_SECTION, PCAP_MAGIC_NS, PCAP_MAGIC_US } from './pcapng-format.ts'
import { PcapngReader } from './pcapng-reader.ts'

/**
 * Begins to read a capture: pcapng or classic pcap, in either byte order, as it is or compressed by gzip.
 *
 * @throws VringError for an unknown format, or another version of a known one
 */
export function openCapture(source: ByteSource): CaptureReader {
  const window = new CaptureWindow(source)
  const compressed = window.holds(2) && window.view.getUint16(window.at, false) === GZIP_MAGIC
  return recognise(compressed ? new CaptureWindow(gunzipSource(rest(window))) : window)
}

function recognise(window: CaptureWindow): CaptureReader {
  if (window.holds(4)) {
    const magic = window.view.getUint32(window.at, false)
    const swapped = window.view.getUint32(window.at, true)
    if (magic === BLOCK_SECTION) return new PcapngReader(window)
    if (magic === PCAP_MAGIC_US || magic === PCAP_MAGIC_NS) return new PcapReader(window, false)
    if (swapped === PCAP_MAGIC_US || swapped === PCAP_MAGIC_NS) return new PcapReader(window, true)
  }
  throw refused(
    'ERR_INVALID_ARGUMENT',
    'capture file',
    window.held < 4 ? `${window.held} bytes of an unknown format` : 'of an unknown format',
    'pcapng, pcap, either compressed by gzip',
  )
}

/** What a window holds and what follows it. */
function rest(window: CaptureWindow): ByteSource {
  return {
    read(into, at, length) {
      if (!window.holds(1)) return 0
      const part = window.bytes.subarray(window.at, window.at + Math.min(length, window.held))
      into.set(part, at)
      window.skip(part.length)
      return part.length
    },
  }
}
