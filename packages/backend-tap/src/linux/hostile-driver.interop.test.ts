import {
  NET_HDR_LEGACY_BYTES,
  VIRTIO_NET_HDR_GSO_ECN,
  VIRTIO_NET_HDR_GSO_TCPV4,
  VIRTIO_NET_HDR_GSO_TCPV6,
  VIRTIO_NET_HDR_GSO_UDP,
  VIRTIO_NET_HDR_GSO_UDP_L4,
} from '@vring/layout'
import { memoryView } from '@vring/memory'
import { FrameBatch, NET_BATCH, type NetBackend } from '@vring/vhost-net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { describeLinuxTap, HEADER } from '../../test/linux-tap-fixture.ts'
import { TapDevice } from '../index.ts'

const ETHERTYPE_OFFSET = 12
const ETH_P_IP = 0x0800
const ETH_P_IPV6 = 0x86dd

/** What each kind of segmentation is made of. */
const SEGMENTED: ReadonlyMap<number, readonly number[]> = new Map([
  [VIRTIO_NET_HDR_GSO_TCPV4, [ETH_P_IP]],
  [VIRTIO_NET_HDR_GSO_UDP, [ETH_P_IP, ETH_P_IPV6]],
  [VIRTIO_NET_HDR_GSO_TCPV6, [ETH_P_IPV6]],
  [VIRTIO_NET_HDR_GSO_UDP_L4, [ETH_P_IP, ETH_P_IPV6]],
])

describeLinuxTap('a Linux TAP and a hostile driver', ({ open, serve }) => {
  test('no frame of a hostile driver is lost without a reason, and what the device in process refuses the kernel refuses too', () => {
    const tap = open()
    const queue = serve(tap)
    const field = fc.oneof(fc.nat(70), fc.nat(0xffff))
    const hostile = fc.record({
      bytes: fc.oneof(fc.nat(80), fc.nat(1600)),
      flags: fc.nat(255),
      type: fc.oneof(fc.constantFrom(0, 1, 3, 4, 5), fc.nat(255)),
      fields: fc.tuple(field, field, field, field),
      payload: fc.uint8Array({ minLength: 54, maxLength: 54 }),
      protocol: fc.constantFrom(ETH_P_IP, ETH_P_IPV6, null),
    })
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 1, maxLength: NET_BATCH }), (frames) => {
        for (const { bytes, flags, type, fields, payload, protocol } of frames) {
          if (protocol !== null) payload.set([protocol >> 8, protocol & 0xff], ETHERTYPE_OFFSET)
          const batch = new FrameBatch(HEADER, memoryView(new ArrayBuffer(2048)))
          batch.view.u8.set([flags, type], 0)
          batch.view.u16.set(fields, 1)
          batch.view.u8.set(payload.subarray(0, bytes), HEADER)
          batch.length[0] = HEADER + bytes
          batch.count = 1
          const model = new TapDevice({ queueFrames: 1 }).queues[0]!
          const before = dropped(queue)
          for (const one of [model, queue]) {
            one.transmit(batch)
            one.flush()
          }
          const isTaken = isTakenByKernel(fields[0], bytes) || isOfAnotherProtocol(type, bytes >= 14 ? payload : null)
          if (dropped(model) > 0 && !isTaken)
            expect(dropped(queue), `the kernel took a frame that was refused`).toBe(before + 1)
        }
      }),
      { numRuns: 12 },
    )
    const { txFrames } = queue.counters
    const { rxPackets } = tap.info().stats
    expect(rxPackets + dropped(queue)).toBe(txFrames)
    expect(rxPackets).toBeGreaterThan(0)
  })
})

/**
 * Since tun_vnet_hdr_get has a file of its own (Linux 6.15, drivers/net/tun_vnet.h) tun compares hdr_len with all that
 * follows the first 10 bytes. `num_buffers` of the longer header counts as if it were frame. Such a frame may be taken
 * or refused.
 */
function isTakenByKernel(hdrLen: number, frameBytes: number): boolean {
  return hdrLen > frameBytes && hdrLen <= frameBytes + HEADER - NET_HDR_LEGACY_BYTES
}

/**
 * Does a header ask for segments that its frame is not made of? The device in process refuses that. Tun of Linux 6.18
 * compares them only where the network header is known (virtio_net_hdr_to_skb), and there it is not yet.
 */
function isOfAnotherProtocol(type: number, frame: Uint8Array | null): boolean {
  const protocol = frame === null ? 0 : (frame[ETHERTYPE_OFFSET]! << 8) | frame[ETHERTYPE_OFFSET + 1]!
  const protocols = SEGMENTED.get(type & ~VIRTIO_NET_HDR_GSO_ECN)
  return protocols !== undefined && !protocols.includes(protocol)
}

/** Frames of the driver that a queue dropped, for whatever reason. */
function dropped(queue: NetBackend): number {
  return Object.values(queue.counters.txDropped).reduce((sum, frames) => sum + frames, 0)
}
