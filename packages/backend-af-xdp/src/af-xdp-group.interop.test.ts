import type { FrameSource } from '@vring/vhost-net'
import { expect, test } from 'vitest'
import { batchOf, HEADER, lengthen, ours, receive, wholeFrame } from '../test/frames.ts'
import { describeVeth, type VethRig } from '../test/veth-rig.ts'
import { AfXdpGroup, AfXdpInterface, AfXdpQueue, type AfXdpQueueOptions, AfXdpReceiver, AfXdpSockets } from './index.ts'

/** A veth pair of two queues; at each end two sockets over one UMEM. */
function twoQueues(rig: VethRig, options: AfXdpQueueOptions = {}, mtu = 1500): [AfXdpSockets, AfXdpSockets] {
  rig.link(mtu, 2)
  const open = (name: string): AfXdpSockets =>
    rig.keep(AfXdpSockets.open(rig.keep(AfXdpInterface.open({ name })).queues, options))
  return [open('xskA'), open('xskB')]
}

describeVeth('several queues', (rig) => {
  const { keep } = rig

  test('two queues have one UMEM, and frames of each cross by their own sockets, long ones too', () => {
    const [a, b] = twoQueues(rig, { chunks: 128, ringEntries: 64 }, 9000)
    const [from, to] = [a, b].map(({ handles: [one, other] }) => {
      const first = keep(new AfXdpQueue(one!))
      return [first, keep(new AfXdpQueue(other!, {}, first))]
    }) as [AfXdpQueue[], AfXdpQueue[]]
    expect(from[0]!.umem).toBe(from[1]!.umem)
    for (let round = 0; round < 20; round++) {
      for (const [queue, bytes] of [64, 9014].entries()) {
        const batch = batchOf(8, 64)
        for (let i = 0; i < 8; i++) lengthen(batch, i, bytes)
        expect(from[queue]!.transmit(batch)).toBe(8)
        from[queue]!.flush()
      }
      for (const [queue, bytes] of [64, 9014].entries())
        expect(receive(to[queue]!, 8, wholeFrame)).toEqual(Array.from({ length: 8 }, (_, i) => [i, bytes]))
    }
    for (const queue of [...from, ...to]) expect([queue.counters.txDropped, queue.counters.rxDropped]).toEqual([{}, {}])
  })

  test('a queue goes from one thread to another and back, with the frames that were not consumed, and none twice', () => {
    const [a, b] = twoQueues(rig)
    const [sender] = a.handles.map((handle) => keep(new AfXdpQueue(handle)))
    const shared = AfXdpGroup.shared(2)
    // What each of two threads has.
    const [zero, one] = [0, 1].map((pair) => {
      const all = b.handles.map((handle, queue) =>
        keep(queue === pair ? new AfXdpQueue(handle) : new AfXdpReceiver(handle)),
      )
      return keep(new AfXdpGroup(all, { pairs: [pair], shared }))
    }) as [AfXdpGroup, AfXdpGroup]
    expect([zero.sources[1], one.sources[0]]).toEqual([null, null])
    const [first, second] = [zero.sources[0]!, one.sources[1]!]
    one.setReceiving(1, true)
    const sent: number[] = []
    const found: number[] = []
    /** The oldest frame of the test, from the queue of pair 0. */
    const take = (source: FrameSource): void => {
      for (const end = performance.now() + 2000; performance.now() < end; ) {
        const batch = source.receive()
        if (batch.count === 0) continue
        const isOurs = ours({ ...batch, count: 1 }) === 1
        if (isOurs) found.push(batch.view.u8[batch.offset[0]! + HEADER + 14]!)
        source.consume(1)
        if (isOurs) return
      }
    }
    for (let round = 0; round < 300; round++) {
      sender!.transmit(batchOf(3))
      sender!.flush()
      sent.push(0, 1, 2)
      if (round % 2 === 0) zero.setReceiving(0, true)
      else zero.setReceiving(0, false)
      const [has, not] = round % 2 === 0 ? [first, second] : [second, first]
      take(has)
      expect(ours(not.receive())).toBe(0)
      if (round % 3 > 0) for (let i = 0; i < 3; i++) take(has)
    }
    for (let left = sent.length - found.length; left > 0; left--) take(second)
    expect(found).toEqual(sent)
    // Without a pair that receives, what comes is dropped, and what waits for one is too.
    sender!.transmit(batchOf(5))
    sender!.flush()
    one.setReceiving(1, false)
    expect([first.wakeFd, second.wakeFd]).toEqual([-1, -1])
    sender!.transmit(batchOf(2))
    sender!.flush()
    zero.setReceiving(0, true)
    expect(ours(first.receive())).toBe(0)
  })
})
