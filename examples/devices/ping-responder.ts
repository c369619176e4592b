// A station that answers ARP requests and pings for one address:
//   npx tsx --conditions=@vring/source examples/devices/ping-responder.ts /run/net.sock 192.0.2.1
import { isIPv4 } from 'node:net'
import { fileURLToPath } from 'node:url'
import { vmapDirect } from '@vring/accessor-vmap-direct'
import { memoryView } from '@vring/memory'
import { FrameBatch, LoopbackBackend, type NetBackend, type NetBackendCounters } from '@vring/vhost-net'
import { serveVhostUser } from '@vring/vhost-user'
import { NetDevice } from '@vring/vhost-user-net'

const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1)
const HEADER_BYTES = 12
const ARP_BYTES = 42
const PING_BYTES_MIN = 14 + 20 + 8

export class PingResponder implements NetBackend {
  readonly name = 'ping responder'
  /** The answers, which the driver receives. */
  readonly answers = new LoopbackBackend()
  private readonly address: Uint8Array
  private readonly out = new FrameBatch(HEADER_BYTES, memoryView(new ArrayBuffer(65_536 + HEADER_BYTES)))

  /** @param address IPv4, dotted */
  constructor(address: string) {
    this.address = Uint8Array.from(address.split('.').map(Number))
  }

  transmit({ count, offset, length, headerBytes, view }: FrameBatch): number {
    for (let i = 0; i < count; i++) {
      const bytes = length[i]! - headerBytes
      if (bytes < ARP_BYTES || bytes > 65_536) continue
      // A copy of its own: the driver's memory may change while it is looked at.
      const frame = this.out.view.u8.subarray(HEADER_BYTES, HEADER_BYTES + bytes)
      frame.set(view.u8.subarray(offset[i]! + headerBytes, offset[i]! + headerBytes + bytes))
      if (!this.answerArp(frame) && !this.answerPing(frame)) continue
      frame.copyWithin(0, 6, 12)
      frame.set(MAC, 6)
      this.out.count = 1
      this.out.length[0] = HEADER_BYTES + bytes
      this.answers.transmit(this.out)
    }
    return count
  }

  /** Who has our address? We do (RFC 826). */
  private answerArp(frame: Uint8Array): boolean {
    const isRequest = frame[12] === 8 && frame[13] === 6 && frame[20] === 0 && frame[21] === 1
    if (!isRequest || !same(frame, 38, this.address)) return false
    frame[21] = 2
    frame.copyWithin(32, 22, 32)
    frame.set(MAC, 22)
    frame.set(this.address, 28)
    return true
  }

  /** An echo request without IP options, for us, becomes its reply (RFC 792). */
  private answerPing(frame: Uint8Array): boolean {
    const isEcho = frame[12] === 8 && frame[13] === 0 && frame[14] === 0x45 && frame[23] === 1 && frame[34] === 8
    if (!isEcho || frame.length < PING_BYTES_MIN || !same(frame, 30, this.address)) return false
    frame.copyWithin(30, 26, 30)
    frame.set(this.address, 26)
    // Type 8 becomes 0, and the sum of 16-bit words in ones' complement grows by as much.
    frame[34] = 0
    const sum = ((frame[36]! << 8) | frame[37]!) + 0x0800
    const folded = (sum & 0xffff) + (sum >>> 16)
    frame[36] = folded >>> 8
    frame[37] = folded & 0xff
    return true
  }

  flush(): void {}

  close(): void {}

  get counters(): NetBackendCounters {
    return this.answers.counters
  }
}

function same(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  return wanted.every((value, index) => bytes[at + index] === value)
}

export function responderDevice(address: string): NetDevice {
  const responder = new PingResponder(address)
  return new NetDevice({ accessor: vmapDirect, backend: () => responder, source: () => responder.answers })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [path, address = ''] = process.argv.slice(2)
  if (path === undefined || !isIPv4(address)) throw new Error('usage: ping-responder.ts SOCKET IPV4')
  serveVhostUser({ path, role: 'server', device: responderDevice(address) })
}
