import { spawnSync } from 'node:child_process'
import { NET_HDR_CSUM_OFFSET_OFFSET, NET_HDR_CSUM_START_OFFSET, NET_HDR_GSO_TYPE_OFFSET } from '@vring/layout'
import {
  clockNs,
  deleteLink,
  interfaceIndex,
  linkInfo,
  PollSet,
  processResources,
  setLink,
  systemErrnoOf,
  unshareNetwork,
} from '@vring/linux'
import { memoryView } from '@vring/memory'
import { FrameBatch, type FrameSource, NET_BATCH } from '@vring/vhost-net'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { AfXdpGroup, AfXdpInterface, AfXdpQueue, type AfXdpQueueOptions, AfXdpReceiver, AfXdpSockets } from './index.ts'

const HEADER = 12
const SLOT = 16_384
const ETHERTYPE = 0x88b5
const isRoot = process.getuid?.() === 0

/** `count` broadcast frames of `bytes` bytes; byte 14 of each is its number. */
function batchOf(count: number, bytes = 64, headerBytes = HEADER): FrameBatch {
  const batch = new FrameBatch(headerBytes, memoryView(new ArrayBuffer(NET_BATCH * SLOT)))
  for (let i = 0; i < count; i++) {
    const frame = i * SLOT + headerBytes
    batch.view.u8.fill(0xff, frame, frame + 6)
    batch.view.u8.set([2, 0, 0, 0, 0, 1, ETHERTYPE >> 8, ETHERTYPE & 0xff, i], frame + 6)
    batch.offset[i] = i * SLOT
    batch.length[i] = headerBytes + bytes
  }
  batch.count = count
  return batch
}

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
}

/** Frames of this test (not of the stack) that arrive within two seconds, up to `count`: number and length of each. */
function receive(
  queue: FrameSource,
  count: number,
  check: (frame: Uint8Array) => unknown = () => {},
): [number, number][] {
  const found: [number, number][] = []
  const poll = new PollSet()
  poll.watch([queue.wakeFd!])
  for (const end = performance.now() + 2000; found.length < count && performance.now() < end; ) {
    const batch = queue.receive()
    if (batch.count === 0) poll.wait(50)
    for (let i = 0; i < batch.count; i++) {
      const frame = batch.offset[i]! + HEADER
      expect([...batch.view.u8.subarray(batch.offset[i]!, frame)]).toEqual(Array(HEADER).fill(0))
      if (batch.view.u8[frame + 12]! * 256 + batch.view.u8[frame + 13]! === ETHERTYPE) {
        check(batch.view.u8.subarray(frame, batch.offset[i]! + batch.length[i]!))
        found.push([batch.view.u8[frame + 14]!, batch.length[i]! - HEADER])
      }
    }
    queue.consume(batch.count)
  }
  return found
}

/** Frames of this test in a batch. */
function ours({ count, offset, view }: Pick<FrameBatch, 'count' | 'offset' | 'view'>): number {
  let found = 0
  for (let i = 0; i < count; i++) {
    const type = offset[i]! + HEADER + 12
    if (view.u8[type]! * 256 + view.u8[type + 1]! === ETHERTYPE) found++
  }
  return found
}

/** Every byte after the number is what the test put there. */
function wholeFrame(frame: Uint8Array): void {
  for (let at = frame.length - 1; at > 14; at--)
    if (frame.length > 64 && frame[at] !== ((at * 7 + frame[14]!) & 0xff))
      throw new Error(`byte ${at} of ${frame.length}`)
}

describe.skipIf(!isRoot)(`AF_XDP over veth${isRoot ? '' : ' (skipped: needs root)'}`, () => {
  const closing: { close(): void }[] = []
  let openFds = 0
  beforeAll(() => {
    unshareNetwork()
    openFds = processResources().openFds
  })
  afterEach(() => {
    for (const one of closing.splice(0).reverse()) one.close()
    for (const name of ['xskA', 'xskB', 'xskC', 'xskBr']) {
      try {
        deleteLink(interfaceIndex(name))
      } catch (error) {
        expect(systemErrnoOf(error)).toBe('ENODEV')
      }
    }
  })
  function keep<T extends { close(): void }>(one: T): T {
    closing.push(one)
    return one
  }

  /** A veth pair that is up, with a socket on both ends. */
  function pair(options: AfXdpQueueOptions = {}, mtu = 1500): [AfXdpQueue, AfXdpQueue] {
    ip('link', 'add', 'xskA', 'type', 'veth', 'peer', 'name', 'xskB')
    for (const name of ['xskA', 'xskB']) ip('link', 'set', name, 'mtu', String(mtu), 'up')
    return [end('xskA', options), end('xskB', options)]
  }

  /**
   * Two sockets with a bridge between them that lets 10 Mbit/s pass: frames that wait there hold on to the chunks that they
   * were sent from.
   */
  function slowPair(): [AfXdpQueue, AfXdpQueue] {
    const run = (line: string): void => {
      const [command, ...args] = line.split(' ')
      const { status, stderr } = spawnSync(command!, args, { encoding: 'utf8' })
      if (status !== 0) throw new Error(`${line}: ${stderr}`)
    }
    ip('link', 'add', 'xskA', 'type', 'veth', 'peer', 'name', 'xskB')
    ip('link', 'add', 'xskC', 'type', 'veth', 'peer', 'name', 'xskD')
    for (const name of ['xskA', 'xskB', 'xskC', 'xskD']) {
      run(`sysctl -qw net.ipv6.conf.${name}.disable_ipv6=1`)
      ip('link', 'set', name, 'up')
    }
    run('tc qdisc add dev xskC root tbf rate 10mbit burst 4k limit 10mb')
    ip('link', 'add', 'xskBr', 'type', 'bridge')
    for (const name of ['xskB', 'xskC']) ip('link', 'set', name, 'master', 'xskBr')
    ip('link', 'set', 'xskBr', 'up')
    return [end('xskA', { mode: 'copy', chunks: 64, ringEntries: 32 }), end('xskD')]
  }

  function end(name: string, options: AfXdpQueueOptions = {}): AfXdpQueue {
    const port = keep(AfXdpInterface.open({ name }))
    return keep(new AfXdpQueue(port.handle(0), options))
  }

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

  test('frames of 9000 bytes cross in several chunks, between short ones, whole and in order, and chunks go round', () => {
    const [a, b] = pair({ chunks: 64, ringEntries: 64 }, 9000)
    const sizes = [64, 9014, 1514, 3840, 3841, 9018, 7680, 7681]
    const sent: [number, number][] = []
    const received: [number, number][] = []
    for (let round = 0; round < 200; round++) {
      const batch = batchOf(sizes.length, 64)
      for (const [i, bytes] of sizes.entries()) {
        batch.length[i] = HEADER + bytes
        const frame = batch.offset[i]! + HEADER
        for (let at = 15; at < bytes; at++) batch.view.u8[frame + at] = at * 7 + i
      }
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
    ip('link', 'add', 'xskA', 'mtu', '65535', 'type', 'veth', 'peer', 'name', 'xskB')
    ip('link', 'set', 'xskA', 'up')
    const port = keep(AfXdpInterface.open({ name: 'xskA' }))
    expect(() => new AfXdpQueue(port.handle(0))).toThrow(/frame of xskA is 65557; accepted: 65280 bytes/)
  })

  test('an interface that is slower than its driver holds it back: no frame is lost, and waiting costs no CPU', () => {
    const [a, b] = slowPair()
    const batch = batchOf(NET_BATCH, 1000)
    // To one station: of broadcast frames the bridge forwards copies, which let their socket go.
    for (let i = 0; i < NET_BATCH; i++) batch.view.u8[batch.offset[i]! + HEADER] = 2
    const poll = new PollSet()
    const total = 4 * NET_BATCH
    let sent = 0
    let refusals = 0
    const start = performance.now()
    const cpu = clockNs('thread')
    while (sent < total || a.unsent) {
      batch.count = Math.min(NET_BATCH, total - sent)
      for (let i = 0; i < batch.count; i++) batch.offset[i] = ((sent + i) % NET_BATCH) * SLOT
      const taken = a.transmit(batch)
      a.flush()
      sent += taken
      if (taken === batch.count && !a.unsent) continue
      refusals++
      poll.watch([], a.roomFd < 0 ? [] : [a.roomFd])
      poll.wait(1)
      if (performance.now() - start > 20_000) break
    }
    expect(sent).toBe(total)
    expect(refusals).toBeGreaterThan(2)
    expect((clockNs('thread') - cpu) / 1e6).toBeLessThan((performance.now() - start) / 2)
    expect(a.counters.txDropped).toEqual({})
    expect(receive(b, total)).toEqual(Array.from({ length: total }, (_, i) => [i % NET_BATCH, 1000]))
  })

  /** A veth pair of two queues; at each end two sockets over one UMEM. */
  function twoQueues(options: AfXdpQueueOptions = {}, mtu = 1500): [AfXdpSockets, AfXdpSockets] {
    const queues = ['numtxqueues', '2', 'numrxqueues', '2']
    ip('link', 'add', 'xskA', ...queues, 'type', 'veth', 'peer', 'name', 'xskB', ...queues)
    for (const name of ['xskA', 'xskB']) ip('link', 'set', name, 'mtu', String(mtu), 'up')
    const open = (name: string): AfXdpSockets =>
      keep(AfXdpSockets.open(keep(AfXdpInterface.open({ name })).queues, options))
    return [open('xskA'), open('xskB')]
  }

  test('two queues have one UMEM, and frames of each cross by their own sockets, long ones too', () => {
    const [a, b] = twoQueues({ chunks: 128, ringEntries: 64 }, 9000)
    const [from, to] = [a, b].map(({ handles: [one, other] }) => {
      const first = keep(new AfXdpQueue(one!))
      return [first, keep(new AfXdpQueue(other!, {}, first))]
    }) as [AfXdpQueue[], AfXdpQueue[]]
    expect(from[0]!.umem).toBe(from[1]!.umem)
    for (let round = 0; round < 20; round++) {
      for (const [queue, bytes] of [64, 9014].entries()) {
        const batch = batchOf(8, 64)
        for (let i = 0; i < 8; i++) {
          batch.length[i] = HEADER + bytes
          for (let at = 15; at < bytes; at++) batch.view.u8[batch.offset[i]! + HEADER + at] = at * 7 + i
        }
        expect(from[queue]!.transmit(batch)).toBe(8)
        from[queue]!.flush()
      }
      for (const [queue, bytes] of [64, 9014].entries())
        expect(receive(to[queue]!, 8, wholeFrame)).toEqual(Array.from({ length: 8 }, (_, i) => [i, bytes]))
    }
    for (const queue of [...from, ...to]) expect([queue.counters.txDropped, queue.counters.rxDropped]).toEqual([{}, {}])
  })

  test('a queue goes from one thread to another and back, with the frames that were not consumed, and none twice', () => {
    const [a, b] = twoQueues()
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

  test('a receiver that does not consume loses frames, which the kernel counts, and gets the ones it held again', () => {
    const [a, b] = pair({ chunks: 128, ringEntries: 64 })
    for (let i = 0; i < 10; i++) {
      a.transmit(batchOf(20))
      a.flush()
    }
    const first = b.receive()
    expect(b.receive()).toBe(first)
    const count = first.count
    expect(count).toBeGreaterThan(0)
    const second = first.view.u8[first.offset[1]! + HEADER + 14]
    b.consume(1)
    expect(b.receive().count).toBe(count - 1)
    expect(first.view.u8[first.offset[0]! + HEADER + 14]).toBe(second)
    const { rxDropped } = b.counters
    expect(Object.values(rxDropped).reduce((sum, frames) => sum + frames, 0)).toBeGreaterThan(0)
  })

  test('without room the rest of a batch is offered again', () => {
    const [a] = pair({ chunks: 64, ringEntries: 32 })
    expect(a.transmit(batchOf(NET_BATCH))).toBe(32)
    expect(a.transmit(batchOf(NET_BATCH))).toBe(0)
    a.flush()
    expect(a.transmit(batchOf(NET_BATCH))).toBeGreaterThan(0)
    expect(a.counters.txDropped).toEqual({})
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

  test('missing, busy, without that queue or mode: an error that says so, and nothing stays open', () => {
    expect(() => AfXdpInterface.open({ name: 'xskNone' })).toThrow(/ENODEV.*xskNone/)
    ip('link', 'add', 'xskA', 'type', 'veth', 'peer', 'name', 'xskB')
    ip('link', 'set', 'xskA', 'up')
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

  test('an interface whose program is taken off meanwhile is waited for', () => {
    ip('link', 'add', 'xskA', 'type', 'veth', 'peer', 'name', 'xskB')
    ip('link', 'set', 'xskA', 'up')
    const first = AfXdpInterface.open({ name: 'xskA' })
    let told = 0
    const onBusy = (): void => {
      told++
      first.close()
    }
    keep(AfXdpInterface.open({ name: 'xskA', onBusy }))
    expect(told).toBe(1)
  })

  test('a queue whose socket is closed meanwhile is waited for, and opened again at once any number of times', () => {
    ip('link', 'add', 'xskA', 'type', 'veth', 'peer', 'name', 'xskB')
    ip('link', 'set', 'xskA', 'up')
    const port = keep(AfXdpInterface.open({ name: 'xskA' }))
    const first = new AfXdpQueue(port.handle(0))
    let told = 0
    const onBusy = (): void => {
      told++
      first.close()
    }
    keep(new AfXdpQueue(port.handle(0), { onBusy })).close()
    expect(told).toBe(1)
    for (let i = 0; i < 10; i++) new AfXdpQueue(port.handle(0)).close()
  })

  test('descriptors of sockets, maps and programs are closed', () => {
    expect(processResources().openFds).toBe(openFds)
  })
})
