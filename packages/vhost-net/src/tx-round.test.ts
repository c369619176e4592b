import { CountingCpu } from '@vring/accessor'
import { featureSet, VIRTIO_F_EVENT_IDX, VIRTIO_F_VERSION_1 } from '@vring/layout'
import { XDP_DROP, Xdp1, Xdp2, type XdpContext } from '@vring/xdp'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frame, HIGH, LOW, type NetQueue, netQueue, RecordingBackend } from '../test/net-queue.ts'
import { DropBackend, type Payload, TxRound, XdpBackend } from './index.ts'

const HEAP = LOW + 0x10_0000

function round(
  q: NetQueue,
  backend: RecordingBackend | DropBackend | XdpBackend,
  payload: Payload = 'in-place',
  notify = () => {},
): TxRound {
  return new TxRound({ queue: q.device, buffers: q.map, backend, cpu: q.cpu, features: q.features, payload, notify })
}

/** Makes `count` frames available, one descriptor each. */
function send(q: NetQueue, count: number, bytes = 64, at = (i: number) => HEAP + i * 4096): string[] {
  const sent: string[] = []
  for (let i = 0; i < count; i++) {
    const data = frame(i, bytes)
    q.write(at(i), data)
    if (q.driver.addOne(at(i), data.length, false) < 0) throw new Error('queue full')
    sent.push(data)
  }
  q.driver.publish()
  return sent
}

describe.each<Payload>(['in-place', 'copy', 'copy-split'])('payload %s', (payload) => {
  it('frames arrive whole, in order, in batches of 64 with one flush each', () => {
    const q = netQueue()
    const backend = new RecordingBackend()
    const sent = send(q, 130)
    expect(round(q, backend, payload).run()).toBe(130)
    expect(backend.frames).toEqual(sent)
    expect(backend.calls).toEqual([64, 'flush', 64, 'flush', 2, 'flush'])
    expect(q.driver.reclaim()).toBe(130)
  })

  it('who polls gets the round back with the batch that took all there was', () => {
    const q = netQueue()
    // The driver adds two frames while a batch is being sent: the first time after a full one.
    const backend = new RecordingBackend()
    const flush = backend.flush.bind(backend)
    let added = 0
    backend.flush = () => {
      flush()
      if (added++ < 2) send(q, 2)
    }
    const { device: queue, map: buffers, cpu, features } = q
    const polled = new TxRound({ queue, buffers, backend, cpu, features, payload, notification: 'poll' })
    send(q, 64)
    expect([polled.run(), polled.end]).toEqual([66, 'empty'])
    expect([polled.run(), polled.end]).toEqual([2, 'empty'])
    expect([polled.run(), polled.end]).toEqual([0, 'empty'])
  })

  it('a round inside a round is refused, and both queues go on', () => {
    const q = netQueue()
    const other = netQueue()
    const inner = round(other, new RecordingBackend(), payload)
    const backend = new RecordingBackend()
    const flush = backend.flush.bind(backend)
    let nested = 0
    backend.flush = () => {
      flush()
      if (nested++ === 0) expect(() => inner.run()).toThrow('a round is running')
      if (nested === 2) throw new Error('a fault of the backend')
    }
    const sent = [...send(q, 65), ...send(other, 2)]
    const outer = round(q, backend, payload)
    expect(() => outer.run()).toThrow('a fault of the backend')
    expect(inner.run()).toBe(2)
    expect(backend.frames).toEqual(sent.slice(0, 65))
  })

  it.each([63, 64, 65, 128])('a batch of exactly %i is complete', (count) => {
    const q = netQueue()
    const backend = new RecordingBackend()
    send(q, count)
    expect(round(q, backend, payload).run()).toBe(count)
    expect(q.driver.reclaim()).toBe(count)
    expect(backend.frames.length).toBe(count)
  })

  it('header and frame may be spread over any number of descriptors (CVE-2022-2132)', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 6 }), fc.boolean(), (cuts, across) => {
        const q = netQueue()
        const backend = new RecordingBackend()
        const data = frame(7, 64)
        const base = across ? HIGH - 30 : HEAP + 1
        q.write(base, data)
        const ends = [...new Set([...cuts, data.length])].sort((a, b) => a - b)
        let from = 0
        const buffers = ends.map((end) => {
          const buffer = { address: base + from, length: end - from }
          from = end
          return buffer
        })
        q.driver.add(buffers)
        q.driver.publish()
        expect(round(q, backend, payload).run()).toBe(1)
        expect(backend.frames).toEqual([data])
      }),
      { numRuns: 60 },
    )
  })

  it('a frame that crosses two memory slots is put together (CVE-2013-0311)', () => {
    const q = netQueue()
    const backend = new RecordingBackend()
    const sent = send(q, 1, 64, () => HIGH - 20)
    expect(round(q, backend, payload).run()).toBe(1)
    expect(backend.frames).toEqual(sent)
  })

  it('frames that lie in two slots by turns arrive in order', () => {
    const q = netQueue()
    const backend = new RecordingBackend()
    const sent = send(q, 100, 64, (i) => ((i * 7) % 3 === 0 ? HIGH : HEAP) + i * 4096)
    expect(round(q, backend, payload).run()).toBe(100)
    expect(backend.frames).toEqual(sent)
    expect(backend.calls.filter((call) => call === 'flush').length).toBe(2)
  })

  it('a full backend stops the round and no descriptor is lost', () => {
    for (const room of [0, 1, 63, 64, 65, 100]) {
      const q = netQueue()
      const backend = new RecordingBackend()
      const sent = send(q, 130, 64, (i) => (i % 2 === 0 ? HIGH : HEAP) + i * 4096)
      backend.room = room
      const tx = round(q, backend, payload)
      expect(tx.run()).toBe(room)
      expect(tx.end).toBe('backpressure')
      expect(q.driver.reclaim()).toBe(room)
      backend.room = Number.POSITIVE_INFINITY
      expect(tx.run()).toBe(130 - room)
      expect(backend.frames).toEqual(sent)
      expect(q.driver.reclaim()).toBe(130 - room)
    }
  })

  it('a missing translation ends the round; an update resumes it', () => {
    const q = netQueue()
    const backend = new RecordingBackend()
    const sent = send(q, 10)
    q.map.missing = HEAP + 6 * 4096 + 32
    const tx = round(q, backend, payload)
    expect([tx.run(), tx.end]).toEqual([6, 'miss'])
    expect([tx.run(), tx.end]).toEqual([0, 'miss'])
    q.map.missing = Number.POSITIVE_INFINITY
    expect([tx.run(), tx.end]).toEqual([4, 'empty'])
    expect(backend.frames).toEqual(sent)
  })

  it.each<[string, string, (q: NetQueue) => void]>([
    ['a writable descriptor', 'writable-in-tx', (q) => q.driver.addOne(HEAP, 100, true)],
    ['a chain shorter than the header', 'shorter-than-header', (q) => q.driver.addOne(HEAP, 11, false)],
    ['an empty chain', 'shorter-than-header', (q) => q.driver.addOne(HEAP, 0, false)],
    ['a buffer in a hole', 'buffer-fault', (q) => q.driver.addOne(0x1000, 100, false)],
    ['a buffer that runs out of memory', 'buffer-fault', (q) => q.driver.addOne(HIGH + 0x3f_ffff, 100, false)],
    ['a buffer that wraps', 'buffer-fault', (q) => q.driver.addOne(2 ** 64 - 16, 100, false)],
  ])('%s breaks the queue; frames before it still go out', (_title, reason, attack) => {
    const q = netQueue()
    const backend = new RecordingBackend()
    send(q, 3)
    attack(q)
    q.driver.publish()
    const tx = round(q, backend, payload)
    expect(tx.run()).toBe(3)
    expect([tx.end, q.device.broken]).toEqual(['broken', reason])
    expect(q.driver.reclaim()).toBe(3)
    expect(backend.frames.length).toBe(3)
    expect(tx.run()).toBe(0)
  })

  it('a chain of exactly a header is a short frame: dropped, counted and given back', () => {
    const q = netQueue()
    const backend = new RecordingBackend()
    const sent = send(q, 1)
    q.driver.addOne(HEAP, 12, false)
    sent.push(...send(q, 1))
    const tx = round(q, backend, payload)
    expect([tx.run(), tx.end, tx.short, q.device.broken]).toEqual([3, 'empty', 1, null])
    expect([q.driver.reclaim(), backend.frames]).toEqual([3, sent])
  })

  it('a frame longer than any GSO frame is dropped, counted and given back', () => {
    const q = netQueue()
    const backend = new RecordingBackend()
    const first = send(q, 1)
    q.driver.addOne(HEAP, 12 + 65_550, false)
    q.driver.addOne(HEAP, 0xffff_ffff, false)
    const second = send(q, 1)
    const tx = round(q, backend, payload)
    expect(tx.run()).toBe(4)
    expect(tx.oversize).toBe(2)
    expect(backend.frames).toEqual([...first, ...second])
    expect(q.driver.reclaim()).toBe(4)
  })

  it('the longest frames still go out, more of them than the bounce buffer holds', () => {
    const q = netQueue()
    const backend = new RecordingBackend()
    const sent = send(q, 7, 65_549, (i) => HEAP + 3 + i * 66_000)
    const tx = round(q, backend, payload)
    expect(tx.run()).toBe(7)
    expect(backend.frames).toEqual(sent)
  })

  it('a round ends after 512 KiB, the packet that crosses it included', () => {
    const q = netQueue()
    const backend = new RecordingBackend()
    send(q, 200, 60_000, () => HEAP)
    const tx = round(q, backend, payload)
    expect([tx.run(), tx.end]).toEqual([Math.ceil(0x80000 / 60_000), 'budget'])
  })
})

describe('a round', () => {
  it('ends after 256 packets and goes on with the next call', () => {
    const q = netQueue(1024)
    const tx = round(q, new DropBackend())
    send(q, 600, 64, () => HEAP)
    expect([tx.run(), tx.end, tx.run(), tx.end, tx.run(), tx.end]).toEqual([256, 'budget', 256, 'budget', 88, 'empty'])
  })

  it('notifies once a batch where the driver asks for it', () => {
    const q = netQueue()
    let signals = 0
    const tx = round(q, new DropBackend(), 'in-place', () => signals++)
    send(q, 130)
    tx.run()
    expect(signals).toBe(3)
    q.driver.reclaim()
    q.driver.setNotification(false)
    send(q, 130)
    tx.run()
    expect(signals).toBe(3)
  })

  it('asks for kicks when it ends empty, and not before', () => {
    const q = netQueue(256, featureSet(VIRTIO_F_VERSION_1, VIRTIO_F_EVENT_IDX))
    const tx = round(q, new DropBackend())
    send(q, 5)
    expect(q.driver.needsKick()).toBe(true)
    tx.run()
    send(q, 1)
    expect(q.driver.needsKick()).toBe(true)
    send(q, 1)
    expect(q.driver.needsKick()).toBe(false)
  })

  it.each(['elements', 'index'] as const)(
    'used %s that miss their translation are published by a later round',
    (missing) => {
      const q = netQueue(16)
      const backend = new RecordingBackend()
      let signals = 0
      const tx = round(q, backend, 'in-place', () => signals++)
      const sent = send(q, 4)
      q.used.missing = missing
      expect([tx.run(), tx.end, q.driver.reclaim()]).toEqual([4, 'miss', 0])
      expect([tx.run(), tx.end, signals]).toEqual([0, 'miss', 0])
      q.used.missing = 'none'
      sent.push(...send(q, 12))
      expect([tx.run(), tx.end, signals]).toEqual([12, 'empty', 2])
      expect([q.driver.reclaim(), backend.frames]).toEqual([16, sent])
    },
  )

  it('a round that could not ask for kicks does not end as empty: nothing would wake its owner', () => {
    const q = netQueue()
    const tx = round(q, new DropBackend())
    q.used.missing = 'flags'
    expect([tx.run(), tx.end]).toEqual([0, 'miss'])
    q.used.missing = 'none'
    expect([tx.run(), tx.end, q.device.broken]).toEqual([0, 'empty', null])
  })

  it('takes about 2.06 metadata accesses a packet when batches are full', () => {
    const cpu = new CountingCpu()
    const q = netQueue(256, featureSet(VIRTIO_F_VERSION_1), cpu)
    const tx = round(q, new DropBackend())
    send(q, 256)
    cpu.reset()
    expect(tx.run()).toBe(256)
    // Each metadata access has one stac. Per packet: ring entry and descriptor. Per batch of 64: used elements,
    // used.idx, avail.flags. Once: avail.idx, and used.flags to suppress kicks.
    expect(cpu.steps.stac).toBe(2 * 256 + 3 * 4 + 2)
    expect(cpu.steps.clac).toBe(cpu.steps.stac)
  })
})

describe('XDP backend', () => {
  it('runs the program on every frame and counts its verdict', () => {
    const q = netQueue()
    const xdp1 = new Xdp1()
    const backend = new XdpBackend(xdp1)
    const udp = `${'\0'.repeat(12)}${'\x08\x00'.padEnd(11, '\0')}\x11`.padEnd(50, '\0')
    for (let i = 0; i < 70; i++) {
      q.write(HEAP + i * 4096, `${'\0'.repeat(12)}${udp}`)
      q.driver.addOne(HEAP + i * 4096, 12 + udp.length, false)
    }
    q.driver.publish()
    round(q, backend).run()
    expect(backend.verdicts[1]).toBe(70)
    expect(xdp1.counters[17]).toBe(70)
  })

  it('refuses a frame shorter than an Ethernet header before the program sees it', () => {
    const q = netQueue()
    let seen = 0
    const backend = new XdpBackend({ name: 'count', run: () => 2 + 0 * seen++ })
    q.driver.addOne(HEAP, 12 + 13, false)
    q.driver.addOne(HEAP, 12 + 14, false)
    q.driver.publish()
    round(q, backend).run()
    expect(seen).toBe(1)
    expect(backend.counters).toEqual({ txFrames: 2, txBytes: 27, txDropped: { short: 1 } })
  })

  it("gives a program that may write copies, and one that only reads the driver's own memory", () => {
    const scribble = (readOnly: boolean): string => {
      const q = netQueue()
      const program = {
        name: 'scribble',
        readOnly,
        run: (context: XdpContext) => {
          context.u8.fill(0xee, context.data, context.dataEnd)
          return XDP_DROP
        },
      }
      const backend = new XdpBackend(program)
      const { cpu, features, device: queue, map: buffers } = q
      const [sent] = send(q, 1)
      new TxRound({ queue, buffers, backend, cpu, features }).run()
      expect(backend.verdicts[XDP_DROP]).toBe(1)
      return q.read(HEAP, sent!.length) === sent ? 'kept' : 'changed'
    }
    expect(scribble(false)).toBe('kept')
    // A program that lies about it: the frame was not copied.
    expect(scribble(true)).toBe('changed')
    expect([new XdpBackend(new Xdp1()).needsCopy, new XdpBackend(new Xdp2()).needsCopy]).toEqual([false, true])
  })
})
