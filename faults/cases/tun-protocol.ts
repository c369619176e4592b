import assert from 'node:assert/strict'
import { TapDevice } from '@vring/backend-tap'
import {
  NET_HDR_GSO_SIZE_OFFSET,
  NET_HDR_GSO_TYPE_OFFSET,
  NET_HDR_MRG_BYTES,
  VIRTIO_NET_HDR_GSO_TCPV4,
  VIRTIO_NET_HDR_GSO_TCPV6,
  VIRTIO_NET_HDR_GSO_UDP_L4,
} from '@vring/layout'
import { memoryView } from '@vring/memory'
import { FrameBatch } from '@vring/vhost-net'
import type { Fault } from '../fault.ts'

const HEADER = 'packages/backend-tap/src/net-header.ts'
const FRAME_BYTES = 200

export const fault: Fault = {
  id: 'CVE-2026-74684',
  system: 'Linux tun, tap_get_user_xdp',
  fault: 'a frame that asks for segmentation and whose protocol is 0 passes the check of its header',
  here: HEADER,
  holds: 'a frame that asks for segmentation is of a protocol that its type can segment, or it is dropped and counted',
  notHere: null,
  explored:
    'the header is copied before it is looked at, and the kernel, which reads the frame later, checks it itself',
  mutants: [
    {
      change: 'no protocol is compared',
      file: HEADER,
      from: 'return segmentsProtocol(type, protocolOf(frame, frameAt, frameBytes)) ? 0 : EINVAL\n',
      to: 'return 0\n',
    },
    {
      change: 'protocol 0 passes',
      file: HEADER,
      from: 'return segmentsProtocol(type, protocolOf(frame, frameAt, frameBytes)) ? 0 : EINVAL\n',
      to: 'const protocol = protocolOf(frame, frameAt, frameBytes)\n  return protocol === 0 || segmentsProtocol(type, protocol) ? 0 : EINVAL\n',
    },
  ],
  run() {
    const passes = (gsoType: number, ...protocol: number[]): boolean => {
      const queue = new TapDevice().queues[0]!
      const batch = new FrameBatch(NET_HDR_MRG_BYTES, memoryView(new ArrayBuffer(4096)))
      const { u8 } = batch.view
      u8[NET_HDR_GSO_TYPE_OFFSET] = gsoType
      u8[NET_HDR_GSO_SIZE_OFFSET] = 100
      u8.set(protocol, NET_HDR_MRG_BYTES + 12)
      batch.length[0] = NET_HDR_MRG_BYTES + FRAME_BYTES
      batch.count = 1
      queue.transmit(batch)
      queue.flush()
      const passed = queue.peer.read() !== null
      assert.deepEqual(queue.counters.txDropped, passed ? {} : { header: 1 })
      return passed
    }
    const [v4, v6, udp] = [VIRTIO_NET_HDR_GSO_TCPV4, VIRTIO_NET_HDR_GSO_TCPV6, VIRTIO_NET_HDR_GSO_UDP_L4]
    for (const type of [v4, v6, udp]) {
      assert.equal(passes(type, 0, 0), false, 'protocol 0')
      assert.equal(passes(type, 0x08, 0x06), false, 'ARP')
    }
    assert.deepEqual([passes(v4, 0x08, 0), passes(v4, 0x86, 0xdd)], [true, false])
    assert.deepEqual([passes(v6, 0x08, 0), passes(v6, 0x86, 0xdd)], [false, true])
    assert.deepEqual([passes(udp, 0x08, 0), passes(udp, 0x86, 0xdd)], [true, true])
    // The protocol inside a VLAN tag, and inside two; a tag with nothing in it is none.
    assert.equal(passes(v4, 0x81, 0, 0, 5, 0x08, 0), true)
    assert.equal(passes(v4, 0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x08, 0), true)
    assert.equal(passes(v4, 0x81, 0, 0, 5, 0, 0), false)
    assert.equal(passes(0, 0, 0), true, 'without segmentation the protocol does not matter')
  },
}
