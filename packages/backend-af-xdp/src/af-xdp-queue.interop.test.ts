import { NET_HDR_CSUM_OFFSET_OFFSET, NET_HDR_CSUM_START_OFFSET, NET_HDR_GSO_TYPE_OFFSET } from '@vring/layout'
import { interfaceIndex, linkInfo } from '@vring/linux'
import { NET_BATCH } from '@vring/vhost-net'
import { expect, test } from 'vitest'
import { batchOf, receive, SLOT } from '../test/frames.ts'
import { describeVeth } from '../test/veth-rig.ts'

describeVeth('a queue', ({ pair }) => {
  test('frames cross both ways, whole and in order, in the mode that was granted', () => {
    const [a, b] = pair({ mode: 'copy' })
    expect([a.mode, b.mode]).toEqual(['copy', 'copy'])
    expect(linkInfo(interfaceIndex('xskA')).xdp.mode).toBe('native')
    for (const [from, to, bytes] of [
      [a, b, 64],
      [b, a, 1514],
    ] as const) {
      expect(from.transmit(batchOf(NET_BATCH, bytes))).toBe(NET_BATCH)
      from.flush()
      expect(receive(to, NET_BATCH)).toEqual(Array.from({ length: NET_BATCH }, (_, i) => [i, bytes]))
      expect(from.counters).toMatchObject({ txFrames: NET_BATCH, txBytes: NET_BATCH * bytes, txDropped: {} })
    }
  })

  test('chunks go round: many times more frames than chunks cross a small UMEM, none is lost', () => {
    const [a, b] = pair({ chunks: 256, ringEntries: 128 })
    let received = 0
    for (let sent = 0; sent < 6400; ) {
      const batch = batchOf(NET_BATCH)
      sent += a.transmit(batch)
      a.flush()
      received += receive(b, Math.min(NET_BATCH, sent - received)).length
    }
    expect(received).toBe(a.counters.txFrames)
    expect(a.counters.txDropped).toEqual({})
    expect(b.counters.rxDropped).toEqual({})
  })

  test('what an interface can not send is dropped by reason, and a partial checksum is completed', () => {
    const [a, b] = pair()
    const segmented = batchOf(1)
    segmented.view.u8[NET_HDR_GSO_TYPE_OFFSET] = 1
    a.transmit(segmented)
    a.transmit(batchOf(2, 13))
    a.transmit(batchOf(3, 1523))
    const partial = batchOf(2, 64)
    for (const [i, start] of [20, 63].entries()) {
      partial.view.u8[i * SLOT] = 1
      partial.view.u16[(i * SLOT + NET_HDR_CSUM_START_OFFSET) >>> 1] = start
      partial.view.u16[(i * SLOT + NET_HDR_CSUM_OFFSET_OFFSET) >>> 1] = 6
    }
    a.transmit(partial)
    a.flush()
    expect(a.counters.txDropped).toEqual({ segmentation: 1, short: 2, oversize: 3, header: 1 })
    // All bytes from csum_start on are zero: the checksum is all ones.
    const checksums: number[][] = []
    receive(b, 1, (frame) => checksums.push([...frame.subarray(26, 28)]))
    expect(checksums[0]).toEqual([0xff, 0xff])
  })

  test('a driver with the 10-byte header sends the same frames', () => {
    const [a, b] = pair()
    a.transmit(batchOf(3, 64, 10))
    a.flush()
    expect(receive(b, 3)).toEqual([0, 1, 2].map((i) => [i, 64]))
  })
})
