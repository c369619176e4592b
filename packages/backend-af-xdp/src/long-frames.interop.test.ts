import { NET_HDR_CSUM_OFFSET_OFFSET, NET_HDR_CSUM_START_OFFSET, NET_HDR_GSO_TYPE_OFFSET } from '@vring/layout'
import { expect, test } from 'vitest'
import { batchOf, lengthen, receive, wholeFrame } from '../test/frames.ts'
import { describeVeth } from '../test/veth-rig.ts'
import { AfXdpInterface, AfXdpQueue } from './index.ts'

describeVeth('frames of several chunks', ({ keep, link, pair }) => {
  test('frames of 9000 bytes cross in several chunks, between short ones, whole and in order, and chunks go round', () => {
    const [a, b] = pair({ chunks: 64, ringEntries: 64 }, 9000)
    const sizes = [64, 9014, 1514, 3840, 3841, 9018, 7680, 7681]
    const sent: [number, number][] = []
    const received: [number, number][] = []
    for (let round = 0; round < 200; round++) {
      const batch = batchOf(sizes.length, 64)
      for (const [i, bytes] of sizes.entries()) lengthen(batch, i, bytes)
      const taken = a.transmit(batch)
      a.flush()
      for (let i = 0; i < taken; i++) sent.push([i, sizes[i]!])
      received.push(...receive(b, taken, wholeFrame))
    }
    expect(sent.length).toBeGreaterThan(1000)
    expect(received).toEqual(sent)
    expect([a.counters.txDropped, b.counters.rxDropped]).toEqual([{}, {}])
  })

  test('a frame of several chunks has its checksum completed, and what the MTU is too small for is dropped', () => {
    const [a, b] = pair({}, 9000)
    const batch = batchOf(1, 9014)
    batch.view.u8[0] = 1
    batch.view.u16[NET_HDR_CSUM_START_OFFSET >>> 1] = 20
    batch.view.u16[NET_HDR_CSUM_OFFSET_OFFSET >>> 1] = 6
    a.transmit(batch)
    a.transmit(batchOf(2, 9023))
    const segmented = batchOf(1, 9014)
    segmented.view.u8[NET_HDR_GSO_TYPE_OFFSET] = 1
    a.transmit(segmented)
    a.flush()
    expect(a.counters.txDropped).toEqual({ oversize: 2, segmentation: 1 })
    const checksums: number[][] = []
    expect(receive(b, 1, (frame) => checksums.push([...frame.subarray(26, 28)]))).toEqual([[0, 9014]])
    expect(checksums).toEqual([[0xff, 0xff]])
  })

  test('an MTU of more pieces than the kernel takes is refused, with what it takes', () => {
    link(65_535)
    const port = keep(AfXdpInterface.open({ name: 'xskA' }))
    expect(() => new AfXdpQueue(port.handle(0))).toThrow(/frame of xskA is 65557; accepted: 65280 bytes/)
  })
})
