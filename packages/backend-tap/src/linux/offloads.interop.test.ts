import { VIRTIO_NET_HDR_GSO_TCPV4, VIRTIO_NET_HDR_GSO_UDP_L4 } from '@vring/layout'
import { tunTakesUdpSegments } from '@vring/linux'
import { memoryView } from '@vring/memory'
import { FrameBatch } from '@vring/vhost-net'
import { expect, test } from 'vitest'
import { describeLinuxTap, drain, HEADER, ip } from '../../test/linux-tap-fixture.ts'
import type { LinuxTapQueue } from '../linux.ts'

/** A transport over Ethernet and IPv4 that devices cut into segments. */
interface Protocol {
  readonly name: string
  /** Of IPv4. */
  readonly protocol: number
  /** Of the virtio-net header. */
  readonly gsoType: number
  /** What a TAP takes whole that has it. */
  readonly offloads: { readonly csum: true; readonly tso4?: true; readonly uso?: true }
  /** Bytes of Ethernet, IPv4 and transport headers. */
  readonly headerBytes: number
  /**
   * The transport header: its checksum, at `checksumAt`, is partial; its length, at `lengthAt`, counts header and
   * payload.
   */
  readonly header: readonly number[]
  readonly checksumAt: number
  readonly lengthAt: number | null
}

const TCP: Protocol = {
  ...{ name: 'tcp', protocol: 6, gsoType: VIRTIO_NET_HDR_GSO_TCPV4, offloads: { csum: true, tso4: true } },
  ...{ headerBytes: 54, header: [0x10, 0x00, 0x10, 0x01, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0x20, 0x00, 0, 0, 0, 0] },
  ...{ checksumAt: 16, lengthAt: null },
}
const UDP: Protocol = {
  ...{ name: 'udp', protocol: 17, gsoType: VIRTIO_NET_HDR_GSO_UDP_L4, offloads: { csum: true, uso: true } },
  ...{ headerBytes: 42, header: [0x10, 0x00, 0x10, 0x01, 0, 0, 0, 0], checksumAt: 6, lengthAt: 4 },
}

describeLinuxTap('offloads of a Linux TAP', ({ open, serve }) => {
  /** A long frame through a bridge: what a queue gets that accepts it whole, and one that does not, cut into `sizes`. */
  function crosses(protocol: Protocol, payload: number, gsoSize: number, sizes: readonly number[]): void {
    const names = ['from', 'whole', 'plain'].map((end) => `vring${protocol.name}${end}`)
    const [from, whole, plain] = names as [string, string, string]
    const bridge = `vring${protocol.name}br`
    const sender = serve(open({ name: from }))
    const accepting = serve(open({ name: whole, offloads: protocol.offloads }))
    const cutting = serve(open({ name: plain }))
    ip('link', 'add', bridge, 'type', 'bridge')
    for (const name of names) ip('link', 'set', name, 'master', bridge)
    ip('link', 'set', bridge, 'up')
    for (const queue of [accepting, cutting]) drain(queue)
    sender.transmit(segment(protocol, payload, gsoSize))
    sender.flush()
    expect(sender.counters.txDropped).toEqual({})
    const { headerBytes, gsoType } = protocol
    expect(
      receive(accepting, protocol, payload).map(({ header, frame }) => [
        ...[header[0], header[1], header[4]! | (header[5]! << 8), frame.length],
      ]),
    ).toEqual([[1, gsoType, gsoSize, headerBytes + payload]])
    const segments = receive(cutting, protocol, payload)
    expect(segments.map(({ header, frame }) => [header[0], header[1], frame.length])).toEqual(
      sizes.map((size) => [0, 0, headerBytes + size]),
    )
    for (const { frame } of segments) expect(checksum(frame, protocol)).toBe(0xffff)
    ip('link', 'del', bridge)
  }

  test('segmentation offload: a queue that accepts it gets the long frame as it was, another gets segments with checksums', () => {
    crosses(TCP, 3000, 1460, [1460, 1460, 80])
  })

  test('UDP segments cross where the kernel has them, whole to who accepts them, cut to who does not; else they are refused', () => {
    const taken = tunTakesUdpSegments(open({ name: 'vringudpask' }).queues[0]!.fd)
    if (taken) crosses(UDP, 2500, 1000, [1000, 1000, 500])
    else expect(() => open({ name: 'vringudpno', offloads: UDP.offloads })).toThrow('EINVAL')
  })
})

/** `payload` bytes over IPv4 that are to be cut into pieces of `gsoSize`, checksum partial. */
function segment(of: Protocol, payload: number, gsoSize: number): FrameBatch {
  const { headerBytes, header, checksumAt, lengthAt } = of
  const batch = new FrameBatch(HEADER, memoryView(new ArrayBuffer((HEADER + headerBytes + payload + 3) & ~3)))
  const { u8, buffer } = batch.view
  const view = new DataView(buffer)
  // virtio_net_hdr: NEEDS_CSUM, gso_type, hdr_len, gso_size, csum_start, csum_offset.
  u8.set([1, of.gsoType, headerBytes, 0, gsoSize & 0xff, gsoSize >> 8, 34, 0, checksumAt, 0])
  u8.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x00], HEADER)
  const ipv4 = HEADER + 14
  const bytes = header.length + payload
  u8.set([0x45, 0, 0, 0, 0, 1, 0, 0, 64, of.protocol, 0, 0, 10, 7, 0, 1, 10, 7, 0, 2], ipv4)
  view.setUint16(ipv4 + 2, 20 + bytes)
  view.setUint16(ipv4 + 10, ~onesComplementSum(u8, ipv4, 20) & 0xffff)
  const transport = ipv4 + 20
  u8.set(header, transport)
  if (lengthAt !== null) view.setUint16(transport + lengthAt, bytes)
  // Pseudo header: addresses, protocol, length.
  view.setUint16(transport + checksumAt, (onesComplementSum(u8, ipv4 + 12, 8) + of.protocol + bytes) % 0xffff)
  for (let i = 0; i < payload; i++) u8[transport + header.length + i] = i * 7
  batch.length[0] = HEADER + headerBytes + payload
  batch.count = 1
  return batch
}

/** Frames of a protocol over IPv4 that arrive until they carry `payload` bytes, or for a second. */
function receive(
  queue: LinuxTapQueue,
  { protocol, headerBytes }: Protocol,
  payload: number,
): { header: Uint8Array; frame: Uint8Array }[] {
  const found: { header: Uint8Array; frame: Uint8Array }[] = []
  let bytes = 0
  for (const end = performance.now() + 1000; bytes < payload && performance.now() < end; ) {
    const { count, offset, length, view } = queue.receive()
    for (let i = 0; i < count; i++) {
      const frame = view.u8.slice(offset[i]! + HEADER, offset[i]! + length[i]!)
      if (frame[12] !== 8 || frame[13] !== 0 || frame[23] !== protocol) continue
      found.push({ header: view.u8.slice(offset[i], offset[i]! + HEADER), frame })
      bytes += frame.length - headerBytes
    }
    queue.consume(count)
  }
  return found
}

/** Sum over a segment and its pseudo header: 0xffff when the checksum is right. */
function checksum(frame: Uint8Array, { protocol }: Protocol): number {
  const bytes = frame.length - 34
  const sum = onesComplementSum(frame, 34, bytes) + onesComplementSum(frame, 26, 8) + protocol + bytes
  return sum % 0xffff || 0xffff
}

/** RFC 1071, over `bytes` bytes from `at`. */
function onesComplementSum(u8: Uint8Array, at: number, bytes: number): number {
  let sum = 0
  for (let i = 0; i < bytes; i += 2) sum += (u8[at + i]! << 8) | (i + 1 < bytes ? u8[at + i + 1]! : 0)
  return sum % 0xffff
}
