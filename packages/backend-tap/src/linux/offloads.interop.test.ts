import { VIRTIO_NET_HDR_GSO_TCPV4, VIRTIO_NET_HDR_GSO_UDP_L4 } from '@vring/layout'
import { tunTakesUdpSegments } from '@vring/linux'
import { memoryView } from '@vring/memory'
import { FrameBatch } from '@vring/vhost-net'
import { expect, test } from 'vitest'
import { describeLinuxTap, drain, HEADER, ip } from '../../test/linux-tap-fixture.ts'
import type { LinuxTapQueue } from '../linux.ts'

describeLinuxTap('offloads of a Linux TAP', ({ open, serve }) => {
  test('segmentation offload: a queue that accepts it gets the long frame as it was, another gets segments with checksums', () => {
    const sender = serve(open({ name: 'vringgso' }))
    const accepting = serve(open({ name: 'vringtso', offloads: { csum: true, tso4: true } }))
    const plain = serve(open({ name: 'vringplain' }))
    ip('link', 'add', 'vringbr', 'type', 'bridge')
    for (const name of ['vringgso', 'vringtso', 'vringplain']) ip('link', 'set', name, 'master', 'vringbr')
    ip('link', 'set', 'vringbr', 'up')
    for (const queue of [accepting, plain]) drain(queue)
    const payload = 3000
    const batch = tcpSegment(payload, 1460)
    sender.transmit(batch)
    sender.flush()
    expect(sender.counters.txDropped).toEqual({})
    const whole = receive(accepting, TCP, payload)
    expect(whole.map(({ header, frame }) => [header[1], header[4]! | (header[5]! << 8), frame.length])).toEqual([
      [VIRTIO_NET_HDR_GSO_TCPV4, 1460, 54 + payload],
    ])
    expect(whole[0]!.header[0]).toBe(1)
    const segments = receive(plain, TCP, payload)
    expect(segments.map(({ header, frame }) => [header[0], header[1], frame.length])).toEqual([
      [0, 0, 1514],
      [0, 0, 1514],
      [0, 0, 54 + payload - 2 * 1460],
    ])
    for (const { frame } of segments) expect(checksum(frame, TCP)).toBe(0xffff)
    ip('link', 'del', 'vringbr')
  })

  test('UDP segments cross where the kernel has them, whole to who accepts them, cut to who does not; else they are refused', () => {
    const from = open({ name: 'vringuso' })
    if (!tunTakesUdpSegments(from.queues[0]!.fd)) {
      expect(() => open({ name: 'vringusoto', offloads: { csum: true, uso: true } })).toThrow('EINVAL')
      return
    }
    const sender = serve(from)
    const accepting = serve(open({ name: 'vringusoto', offloads: { csum: true, uso: true } }))
    const plain = serve(open({ name: 'vringusoplain' }))
    ip('link', 'add', 'vringusobr', 'type', 'bridge')
    for (const name of ['vringuso', 'vringusoto', 'vringusoplain']) ip('link', 'set', name, 'master', 'vringusobr')
    ip('link', 'set', 'vringusobr', 'up')
    for (const queue of [accepting, plain]) drain(queue)
    const payload = 2500
    sender.transmit(udpSegment(payload, 1000))
    sender.flush()
    expect(sender.counters.txDropped).toEqual({})
    const whole = receive(accepting, UDP, payload)
    expect(
      whole.map(({ header, frame }) => [header[0], header[1], header[4]! | (header[5]! << 8), frame.length]),
    ).toEqual([[1, VIRTIO_NET_HDR_GSO_UDP_L4, 1000, 42 + payload]])
    const segments = receive(plain, UDP, payload)
    expect(segments.map(({ header, frame }) => [header[0], header[1], frame.length])).toEqual([
      [0, 0, 1042],
      [0, 0, 1042],
      [0, 0, 542],
    ])
    for (const { frame } of segments) expect(checksum(frame, UDP)).toBe(0xffff)
    ip('link', 'del', 'vringusobr')
  })
})

/** Protocol numbers, and the bytes of Ethernet, IPv4 and their own headers. */
const TCP = { protocol: 6, headers: 54 }
const UDP = { protocol: 17, headers: 42 }

/** Datagrams over IPv4 of `payload` bytes together that are to be cut into pieces of `gsoSize`, checksum partial. */
function udpSegment(payload: number, gsoSize: number): FrameBatch {
  const batch = new FrameBatch(HEADER, memoryView(new ArrayBuffer((HEADER + 42 + payload + 3) & ~3)))
  const { u8, buffer } = batch.view
  const view = new DataView(buffer)
  u8.set([1, VIRTIO_NET_HDR_GSO_UDP_L4, 42, 0, gsoSize & 0xff, gsoSize >> 8, 34, 0, 6, 0])
  u8.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x00], HEADER)
  const ipv4 = HEADER + 14
  u8.set([0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0, 10, 7, 0, 1, 10, 7, 0, 2], ipv4)
  view.setUint16(ipv4 + 2, 28 + payload)
  view.setUint16(ipv4 + 10, ~onesComplementSum(u8, ipv4, 20) & 0xffff)
  const udp = ipv4 + 20
  u8.set([0x10, 0x00, 0x10, 0x01], udp)
  view.setUint16(udp + 4, 8 + payload)
  // Pseudo header: addresses, protocol, length.
  view.setUint16(udp + 6, (onesComplementSum(u8, ipv4 + 12, 8) + 17 + 8 + payload) % 0xffff)
  for (let i = 0; i < payload; i++) u8[udp + 8 + i] = i * 7
  batch.length[0] = HEADER + 42 + payload
  batch.count = 1
  return batch
}

/** One TCP segment over IPv4 of `payload` bytes that is to be cut into pieces of `gsoSize`, checksum partial. */
function tcpSegment(payload: number, gsoSize: number): FrameBatch {
  const batch = new FrameBatch(HEADER, memoryView(new ArrayBuffer((HEADER + 54 + payload + 3) & ~3)))
  const { u8, buffer } = batch.view
  const view = new DataView(buffer)
  // virtio_net_hdr: NEEDS_CSUM, TCPV4, hdr_len, gso_size, csum_start, csum_offset.
  u8.set([1, VIRTIO_NET_HDR_GSO_TCPV4, 54, 0, gsoSize & 0xff, gsoSize >> 8, 34, 0, 16, 0])
  u8.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x00], HEADER)
  const ipv4 = HEADER + 14
  u8.set([0x45, 0, 0, 0, 0, 1, 0, 0, 64, 6, 0, 0, 10, 7, 0, 1, 10, 7, 0, 2], ipv4)
  view.setUint16(ipv4 + 2, 40 + payload)
  view.setUint16(ipv4 + 10, ~onesComplementSum(u8, ipv4, 20) & 0xffff)
  const tcp = ipv4 + 20
  u8.set([0x10, 0x00, 0x10, 0x01, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0x20, 0x00], tcp)
  // Pseudo header: addresses, protocol, length.
  view.setUint16(tcp + 16, (onesComplementSum(u8, ipv4 + 12, 8) + 6 + 20 + payload) % 0xffff)
  for (let i = 0; i < payload; i++) u8[tcp + 20 + i] = i * 7
  batch.length[0] = HEADER + 54 + payload
  batch.count = 1
  return batch
}

/** Frames of a protocol over IPv4 that arrive until they carry `payload` bytes, or for a second. */
function receive(
  queue: LinuxTapQueue,
  { protocol, headers }: typeof TCP,
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
      bytes += frame.length - headers
    }
    queue.consume(count)
  }
  return found
}

/** Sum over a segment and its pseudo header: 0xffff when the checksum is right. */
function checksum(frame: Uint8Array, { protocol }: typeof TCP): number {
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
