import { readCapture } from '@vring/backend-pcap'
import { isVringError } from '@vring/layout'
import { fixturesOf } from '../engine/fixtures.ts'
import { expectThat, type FuzzTarget } from '../engine/target.ts'

const FIXTURES = 'packages/backend-pcap/fixtures'
const BYTES_MAX = 4096

export const target: FuzzTarget = {
  name: 'capture',
  description: 'a pcapng or pcap file: it is read or refused, and every frame lies in the file',
  unit: 'files',
  maxBytes: BYTES_MAX,
  seeds: ['.pcapng', '.pcap'].flatMap((ending) => fixturesOf(FIXTURES, ending, BYTES_MAX)),
  dictionary: [
    '0a0d0d0a',
    '4d3c2b1a',
    '1a2b3c4d',
    '06000000',
    '01000000',
    '03000000',
    'a1b2c3d4',
    'd4c3b2a1',
    'a1b23c4d',
    '09000100',
  ].map((hex) => new Uint8Array(Buffer.from(hex, 'hex'))),
  run(input) {
    try {
      const { interfaces, packets, truncatedAt } = readCapture(input)
      const file = Buffer.from(input)
      // A frame may be named by the file only where it lies in it, after the one before.
      let next = 0
      for (const { bytes, interfaceId, timestampNs, originalLength } of packets) {
        const at = file.indexOf(bytes, next)
        expectThat(at >= 0, 'a frame is not of the file')
        next = at + bytes.length
        expectThat(interfaces[interfaceId] !== undefined, `there is no interface ${interfaceId}`)
        expectThat(timestampNs === null || typeof timestampNs === 'bigint', 'a frame has no time')
        expectThat(originalLength >= 0, `a frame had ${originalLength} bytes`)
      }
      expectThat(packets.length <= input.length / 8, `${packets.length} frames in ${input.length} bytes`)
      expectThat(truncatedAt === null || truncatedAt <= input.length, 'the file stops after its end')
    } catch (error) {
      if (!isVringError(error)) throw error
    }
    return 1
  },
}
