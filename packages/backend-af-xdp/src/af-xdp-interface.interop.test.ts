import { deleteLink, interfaceIndex, linkInfo, setLink } from '@vring/linux'
import { expect, test } from 'vitest'
import { batchOf, receive } from '../test/frames.ts'
import { describeVeth } from '../test/veth-rig.ts'
import { AfXdpInterface, AfXdpQueue } from './index.ts'

describeVeth('an interface', ({ keep, link, pair }) => {
  test('missing, busy, without that queue or mode: an error that says so, and nothing stays open', () => {
    expect(() => AfXdpInterface.open({ name: 'xskNone' })).toThrow(/ENODEV.*xskNone/)
    link()
    const port = keep(AfXdpInterface.open({ name: 'xskA' }))
    expect(() => AfXdpInterface.open({ name: 'xskA', busyMs: 0 })).toThrow(/EBUSY/)
    expect(() => port.handle(port.queues.length)).toThrow(/queue is \d+; accepted: 0 \.\. /)
    keep(new AfXdpQueue(port.handle(0)))
    expect(() => new AfXdpQueue(port.handle(0), { busyMs: 0 })).toThrow(/bind: EBUSY.*another socket has this queue/)
    expect(() => new AfXdpQueue({ ...port.handle(0), queue: 99 })).toThrow(/bind: EINVAL.*no such queue/)
    expect(() => new AfXdpQueue(port.handle(0), { chunkBytes: 1024 })).toThrow(/chunkBytes is 1024; accepted: 2048 or/)
    expect(() => new AfXdpQueue(port.handle(0), { ringEntries: 64 })).toThrow(/at least half of 4096 chunks/)
    port.close()
    expect(linkInfo(interfaceIndex('xskA')).xdp.mode).toBe('none')
  })

  test('while the interface is down frames are dropped as such, and flow when it is up again', () => {
    const [a, b] = pair()
    const ifindex = interfaceIndex('xskA')
    setLink(ifindex, { up: false })
    a.transmit(batchOf(1))
    a.flush()
    expect(a.transmit(batchOf(5))).toBe(5)
    expect(a.counters.txDropped).toEqual({ down: 5 })
    // Looking again would help nothing: no loop is woken for it.
    expect(a.unsent).toBe(false)
    setLink(ifindex, { up: true })
    a.transmit(batchOf(4))
    a.flush()
    // The one that was in the ring when it went down leaves first.
    expect(receive(b, 5).map(([number]) => number)).toEqual([0, 0, 1, 2, 3])
  })

  test('an interface deleted under the queue drops frames as gone, and closing it is no error', () => {
    const [a, b] = pair()
    deleteLink(interfaceIndex('xskA'))
    a.transmit(batchOf(3))
    a.flush()
    expect(a.transmit(batchOf(4))).toBe(4)
    expect(a.counters.txDropped).toEqual({ gone: 4 })
    expect([a.wakeFd, a.receive().count]).toEqual([-1, 0])
    for (let i = 0; i < 5000; i++) b.receive()
    expect(b.gone).toBe(true)
  })
})
