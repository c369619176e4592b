import { spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { VIRTIO_NET_HDR_GSO_UDP_L4 } from '@vring/layout'
import { unshareNetwork } from '@vring/linux'
import { memoryView } from '@vring/memory'
import { FrameBatch, NET_BATCH } from '@vring/vhost-net'
import { LinuxTap, LinuxTapQueue } from '../src/linux.ts'

/*
 * What UDP segmentation offload (VIRTIO_NET_F_HOST_USO) gives: Gbit/s of payload that the kernel's UDP takes from a TAP, in datagrams
 * of 1472 bytes that come one a frame, and 44 a frame which the kernel cuts. The datagrams are counted where they are delivered to a
 * socket, or dropped as its buffer is full: nothing reads it. In turns, the medians. Needs root and Linux 6.2:
 *
 *   sudo npx tsx --conditions=@vring/source packages/backend-tap/figures/udp-segments.ts
 */
const PAYLOAD = 1472
const SEGMENTS = 44
const SLICE_MS = 200
const SLICES = 15
const HEADER = 12
const HEADERS = HEADER + 42
const PORT = 5001

unshareNetwork()
const tap = LinuxTap.open({ name: 'vringuso' })
const queue = new LinuxTapQueue(tap.queues[0]!)
for (const command of ['link set lo up', 'addr add 10.7.0.2/24 dev vringuso', 'link set vringuso up'])
  spawnSync('ip', command.split(' '))
const shown = spawnSync('ip', ['-j', 'link', 'show', 'vringuso'], { encoding: 'latin1' }).stdout
const mac = (JSON.parse(shown) as [{ address: string }])[0].address.split(':')
const socket = createSocket('udp4').bind(PORT, '10.7.0.2')
await once(socket, 'listening')

const kinds = [1, SEGMENTS].map((segments) => ({ segments, batch: batchOf(segments), rates: [] as number[] }))
for (let slice = 0; slice < SLICES; slice++) for (const { batch, rates } of kinds) rates.push(gbitOf(batch))
for (const { segments, rates } of kinds) {
  rates.sort((a, b) => a - b)
  console.log(`${segments} of ${PAYLOAD} bytes a frame: ${rates[SLICES >> 1]!.toFixed(2)} Gbit/s`)
}
socket.close()
queue.close()
tap.close()

/** Gbit/s of payload in one slice. */
function gbitOf(batch: FrameBatch): number {
  const before = datagrams()
  const start = performance.now()
  while (performance.now() - start < SLICE_MS) {
    for (let left = batch.count; left > 0; ) {
      const taken = queue.transmit(batch)
      queue.flush()
      if (taken > 0) left = 0
    }
  }
  const ms = performance.now() - start
  return ((datagrams() - before) * PAYLOAD * 8) / (ms * 1e6)
}

/** Datagrams that reached a socket: InDatagrams, and RcvbufErrors of one whose buffer is full (`/proc/net/snmp`). */
function datagrams(): number {
  const [names, values] = readFileSync('/proc/net/snmp', 'latin1')
    .split('\n')
    .filter((line) => line.startsWith('Udp: '))
    .map((line) => line.split(' '))
  const of = (name: string): number => Number(values![names!.indexOf(name)])
  return of('InDatagrams') + of('RcvbufErrors')
}

/** A batch of equal frames of `segments` datagrams each. */
function batchOf(segments: number): FrameBatch {
  const payload = segments * PAYLOAD
  const bytes = HEADERS + payload
  const batch = new FrameBatch(HEADER, memoryView(new ArrayBuffer((bytes + 7) & ~7)))
  const { u8, buffer } = batch.view
  const view = new DataView(buffer)
  // virtio_net_hdr: NEEDS_CSUM, gso_type, hdr_len, gso_size, csum_start, csum_offset.
  const gso = segments === 1 ? [0, 0] : [VIRTIO_NET_HDR_GSO_UDP_L4, 42]
  u8.set([1, gso[0]!, gso[1]!, 0, ...(segments === 1 ? [0, 0] : [PAYLOAD & 0xff, PAYLOAD >> 8]), 34, 0, 6, 0])
  u8.set([...mac.map((byte) => Number.parseInt(byte, 16)), 2, 0, 0, 0, 0, 1, 0x08, 0x00], HEADER)
  const ipv4 = HEADER + 14
  u8.set([0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0, 10, 7, 0, 1, 10, 7, 0, 2], ipv4)
  view.setUint16(ipv4 + 2, 28 + payload)
  view.setUint16(ipv4 + 10, ~sum(u8, ipv4, 20) & 0xffff)
  view.setUint16(ipv4 + 20, PORT)
  view.setUint16(ipv4 + 22, PORT)
  view.setUint16(ipv4 + 24, 8 + payload)
  // Partial: of the pseudo header.
  view.setUint16(ipv4 + 26, (sum(u8, ipv4 + 12, 8) + 17 + 8 + payload) % 0xffff)
  batch.count = segments === 1 ? NET_BATCH : 1
  for (let i = 0; i < batch.count; i++) batch.length[i] = bytes
  return batch
}

/** RFC 1071, over `bytes` bytes from `at`. */
function sum(u8: Uint8Array, at: number, bytes: number): number {
  let total = 0
  for (let i = 0; i < bytes; i += 2) total += (u8[at + i]! << 8) | u8[at + i + 1]!
  return total % 0xffff
}
