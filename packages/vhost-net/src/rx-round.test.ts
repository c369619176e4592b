import {
  featureSet,
  usedRingBytes,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_VERSION_1,
  VIRTIO_NET_F_MRG_RXBUF,
} from '@vring/layout'
import { DirtyBitmap, WORK_PER_LOOK } from '@vring/memory'
import { encodeIndirectTable } from '@vring/virtqueue'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ArraySource, frame, HIGH, LOW, type NetQueue, netQueue } from '../test/net-queue.ts'
import { RxRound } from './index.ts'

const HEAP = LOW + 0x10_0000
const PLAIN = featureSet(VIRTIO_F_VERSION_1)
const MRG = featureSet(VIRTIO_F_VERSION_1, VIRTIO_NET_F_MRG_RXBUF)

function round(q: NetQueue, source: ArraySource, notify = () => {}, log?: DirtyBitmap): RxRound {
  return new RxRound({
    queue: q.device,
    buffers: q.map,
    source,
    cpu: q.cpu,
    features: q.features,
    notify,
    log: log ?? null,
  })
}

function offer(q: NetQueue, count: number, bytes: number, at = (i: number) => HEAP + i * 4096): void {
  for (let i = 0; i < count; i++) q.driver.addOne(at(i), bytes, true)
  q.driver.publish()
}

/** What the driver finds: `[num_buffers, frame]` for each frame, in order. */
function received(q: NetQueue, at = (id: number) => HEAP + id * 4096): [number, string][] {
  const found: [number, string][] = []
  while (q.driver.getUsed()) {
    const first = q.read(at(q.driver.usedId), q.driver.usedLength)
    const buffers = first.charCodeAt(10) | (first.charCodeAt(11) << 8)
    let data = first.slice(12)
    for (let i = 1; i < buffers && q.driver.getUsed(); i++) data += q.read(at(q.driver.usedId), q.driver.usedLength)
    found.push([buffers, data])
  }
  return found
}

it('a round inside a round is refused, and it can run afterwards', () => {
  const q = netQueue()
  const other = netQueue()
  const waiting = new ArraySource()
  waiting.waiting.push(frame(1, 60))
  offer(q, 4, 2048)
  offer(other, 4, 2048)
  const inner = round(other, waiting)
  const source = new ArraySource()
  source.waiting.push(frame(0, 60))
  let refusals = 0
  const outer = round(q, source, () => {
    expect(() => inner.run()).toThrow('a round is running')
    refusals++
  })
  expect([outer.run(), refusals, inner.run(), inner.frames]).toEqual([1, 1, 1, 1])
})

describe('without mergeable buffers', () => {
  it('virtio 1.3 5.1.6.4.1 each frame takes one chain and num_buffers is 1', () => {
    const q = netQueue(256, PLAIN)
    const source = new ArraySource()
    for (let i = 0; i < 130; i++) source.waiting.push(frame(i, 60 + i))
    const sent = source.waiting.map((data): [number, string] => [1, data.slice(12)])
    offer(q, 200, 2048)
    const rx = round(q, source)
    expect([rx.run(), rx.end, rx.frames]).toEqual([130, 'empty', 130])
    expect(received(q)).toEqual(sent)
    expect(q.device.base).toBe(130)
  })

  it('a frame longer than its buffer is dropped and the buffer stays (CVE-2014-0077)', () => {
    const q = netQueue(256, PLAIN)
    const source = new ArraySource()
    source.waiting.push(frame(0, 64), frame(1, 3000), frame(2, 64))
    offer(q, 4, 2048)
    const rx = round(q, source)
    expect([rx.run(), rx.truncated]).toEqual([3, 1])
    expect(received(q).map(([, data]) => data.slice(0, 7))).toEqual(['frame 0', 'frame 2'])
    expect(q.device.base).toBe(2)
  })

  it('a header split over descriptors is written across them', () => {
    const q = netQueue(256, PLAIN)
    const source = new ArraySource()
    source.waiting.push(frame(0, 64))
    q.driver.add([
      { address: HEAP, length: 5, writable: true },
      { address: HEAP + 5, length: 0, writable: true },
      { address: HEAP + 5, length: 20, writable: true },
      { address: HEAP + 25, length: 2000, writable: true },
    ])
    q.driver.publish()
    expect(round(q, source).run()).toBe(1)
    expect(received(q)).toEqual([[1, frame(0, 64).slice(12)]])
  })
})

it.each([
  ['one by one', 100, 0],
  ['at a multiple of four', 2048, 0],
  ['at an odd address', 2048, 1],
])('headers that are not for the driver reach it as empty ones: buffers %s', (_where, room, shift) => {
  const q = netQueue(256, MRG)
  const source = new ArraySource()
  for (let i = 0; i < 8; i++) source.waiting.push(`${'\xff'.repeat(12)}${frame(i, 120).slice(12)}`)
  const sent = source.waiting.map((data) => data.slice(12))
  const receive = source.receive.bind(source)
  source.receive = () => Object.assign(receive(), { bare: true })
  const at = (id: number): number => HEAP + shift + id * 4096
  offer(q, 32, room, at)
  const rx = round(q, source)
  expect([rx.run(), rx.frames]).toEqual([8, 8])
  const chains = Math.ceil((12 + sent[0]!.length) / room)
  const headers = Array.from({ length: 8 }, (_, i) => q.read(at(i * chains), 12))
  expect(new Set(headers)).toEqual(new Set([`${'\0'.repeat(10)}${String.fromCharCode(chains)}\0`]))
  expect(received(q, at)).toEqual(sent.map((data) => [chains, data]))
})

it.each([0, 1, 2, 3, 4, 5])('of a frame of %s bytes nothing is written after its last one', (bytes) => {
  const q = netQueue(256, MRG)
  const source = new ArraySource()
  for (let i = 0; i < 4; i++) source.waiting.push('\0'.repeat(12) + 'abcde'.slice(0, bytes))
  // Buffers of just that length, side by side but for a word that is not the device's.
  const at = (id: number): number => HEAP + 32 * id
  for (let i = 0; i < 4; i++) q.write(at(i), 'x'.repeat(32))
  offer(q, 4, 12 + bytes, at)
  const rx = round(q, source)
  expect([rx.run(), rx.frames]).toEqual([4, 4])
  const header = `${'\0'.repeat(10)}\x01\0`
  for (let i = 0; i < 4; i++) expect(q.read(at(i), 32)).toBe(header + 'abcde'.slice(0, bytes) + 'x'.repeat(20 - bytes))
})

describe('with mergeable buffers', () => {
  it('virtio 1.3 5.1.6.4 a frame spreads over as many chains as it needs', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 14, max: 4000 }), { maxLength: 40 }),
        fc.integer({ min: 12, max: 700 }),
        (lengths, room) => {
          const q = netQueue(1024, MRG)
          const source = new ArraySource()
          source.waiting.push(...lengths.map((bytes, i) => frame(i, bytes)))
          const expected = source.waiting.map((data): [number, string] => [
            Math.ceil(data.length / room),
            data.slice(12),
          ])
          offer(q, 1024, room, (i) => HEAP + i * 1000)
          const fits = expected.filter(([chains]) => chains <= 256)
          const rx = round(q, source)
          // Every frame is delivered or still waits for buffers or for the next round.
          for (let rounds = 0; rounds < 20 && source.waiting.length > 0 && rx.end !== 'no-buffers'; rounds++) rx.run()
          const got = received(q, (id) => HEAP + id * 1000)
          expect(got).toEqual(fits.slice(0, got.length))
          expect(got.length + rx.truncated + source.waiting.length).toBe(lengths.length)
        },
      ),
      { numRuns: 40 },
    )
  })

  it('a frame that lacks chains waits and takes none; it is delivered when the driver adds some', () => {
    const q = netQueue(256, MRG)
    const source = new ArraySource()
    source.waiting.push(frame(0, 64), frame(1, 3000))
    offer(q, 4, 512)
    const rx = round(q, source)
    expect([rx.run(), rx.end, source.waiting.length]).toEqual([1, 'no-buffers', 1])
    expect(q.device.base).toBe(1)
    expect(q.driver.needsKick()).toBe(true)
    offer(q, 3, 512, (i) => HEAP + (4 + i) * 4096)
    expect([rx.run(), rx.end, source.waiting.length]).toEqual([1, 'empty', 0])
    expect(received(q)).toEqual([
      [1, frame(0, 64).slice(12)],
      [6, frame(1, 3000).slice(12)],
    ])
  })

  it('a frame that needs more chains than any frame may take is dropped, not retried for ever (CVE-2018-16880)', () => {
    const q = netQueue(1024, MRG)
    const source = new ArraySource()
    source.waiting.push(frame(0, 6000), frame(1, 64))
    offer(q, 1024, 16, (i) => HEAP + i * 64)
    const rx = round(q, source)
    rx.run()
    expect([rx.truncated, rx.frames, source.waiting.length]).toEqual([1, 1, 0])
  })

  it('a frame larger than the whole ring, all of which is on offer, is dropped and not waited for', () => {
    const q = netQueue(4, MRG)
    const source = new ArraySource()
    source.waiting.push(frame(0, 9000), frame(1, 64))
    offer(q, 4, 1526)
    const rx = round(q, source)
    expect([rx.run(), rx.end, rx.truncated, rx.frames]).toEqual([2, 'empty', 1, 1])
    expect(received(q)).toEqual([[1, frame(1, 64).slice(12)]])
  })

  it('chains of two entries that fill a ring hold no more than they do, also where one entry is left', () => {
    for (const size of [4, 16]) {
      const q = netQueue(size, MRG)
      const source = new ArraySource()
      source.waiting.push(frame(0, 60_000), frame(1, 64))
      const entries = size === 16 ? 3 : 2
      while (q.driver.freeCount >= entries)
        q.driver.add(
          Array.from({ length: entries }, (_, i) => ({ address: HEAP + 4096 * i, length: 512, writable: true })),
        )
      q.driver.publish()
      const rx = round(q, source)
      expect([rx.run(), rx.end, rx.truncated, rx.frames]).toEqual([2, 'empty', 1, 1])
    }
  })

  it('chains shorter than the header break the queue, after a bounded walk, whatever they are made of', () => {
    const features = MRG | featureSet(VIRTIO_F_INDIRECT_DESC)
    const q = netQueue(256, features)
    const source = new ArraySource()
    for (let i = 0; i < 20; i++) source.waiting.push(frame(i, 200))
    const table = encodeIndirectTable('split', Array(1024).fill({ address: 0, length: 0, writable: true }))
    q.write(HEAP, Buffer.from(table).toString('latin1'))
    for (let i = 0; i < 256; i++) q.driver.addIndirect(HEAP, 1024)
    q.driver.publish()
    const rx = round(q, source)
    let loads = 0
    const { resolve } = q.map
    q.map.resolve = (address, length, access) => {
      loads++
      return resolve.call(q.map, address, length, access)
    }
    const most = WORK_PER_LOOK
    expect([rx.run(), rx.end, q.device.broken]).toEqual([0, 'broken', 'shorter-than-header'])
    expect(loads).toBeLessThanOrEqual(most)
  })

  it('buffers in two slots, and one that crosses from one into the other', () => {
    const q = netQueue(256, MRG)
    const source = new ArraySource()
    source.waiting.push(frame(0, 900))
    const at = [HIGH - 100, HIGH + 4096, HEAP, HIGH + 8192]
    offer(q, 4, 256, (i) => at[i]!)
    round(q, source).run()
    expect(received(q, (id) => at[id]!)).toEqual([[4, frame(0, 900).slice(12)]])
  })
})

describe('a round', () => {
  it('ends after 256 packets, dropped ones counted (CVE-2019-3900)', () => {
    const q = netQueue(256, PLAIN)
    const source = new ArraySource()
    for (let i = 0; i < 300; i++) source.waiting.push(frame(i, 3000))
    offer(q, 8, 64)
    const rx = round(q, source)
    const packets = rx.run()
    expect([rx.end, rx.truncated]).toEqual(['budget', packets])
    expect(packets).toBeLessThanOrEqual(256)
  })

  it('looks again for buffers before it gives up: kicks were suppressed', () => {
    const q = netQueue(256, featureSet(VIRTIO_F_VERSION_1, VIRTIO_F_EVENT_IDX))
    const source = new ArraySource()
    source.waiting.push(frame(0))
    const rx = round(q, source)
    expect([rx.run(), rx.end]).toEqual([0, 'no-buffers'])
    offer(q, 1, 2048)
    expect(q.driver.needsKick()).toBe(true)
    expect([rx.run(), rx.end]).toEqual([1, 'empty'])
  })

  it('a driver that gives buffers again before they are used gets no element outside its ring', () => {
    const q = netQueue(4, PLAIN)
    const source = new ArraySource()
    for (let i = 0; i < 64; i++) source.waiting.push(frame(i))
    offer(q, 4, 2048)
    // With every write of the device the driver makes one more buffer available, whatever it got back.
    let availIdx = 4
    const log = DirtyBitmap.forGuest(2 * HIGH)
    const write = log.write.bind(log)
    log.write = (address, length) => {
      q.driver.windows.driver.store16Release(2, ++availIdx)
      return write(address, length)
    }
    const after = () => q.read(LOW + 0xa_0000 + usedRingBytes(4, false), 4096)
    const before = after()
    const rx = round(q, source, () => {}, log)
    for (let rounds = 0; rounds < 8; rounds++) rx.run()
    expect(after()).toBe(before)
    expect(rx.frames).toBe(q.driver.reclaim())
  })

  it('frames before a head that breaks the queue are published', () => {
    const q = netQueue(256, PLAIN)
    const source = new ArraySource()
    source.waiting.push(frame(0), frame(1), frame(2))
    offer(q, 2, 2048)
    q.driver.windows.driver.store16(4 + 2 * 2, 999)
    q.driver.windows.driver.store16Release(2, 3)
    const rx = round(q, source)
    expect([rx.run(), rx.end, q.device.broken]).toEqual([2, 'broken', 'head-out-of-range'])
    expect(received(q).map(([, data]) => data)).toEqual([frame(0).slice(12), frame(1).slice(12)])
  })

  it.each<[string, (q: NetQueue) => void]>([
    ['a head', (q) => q.driver.windows.driver.store16(4 + 2 * 2, 999)],
    ['a buffer', (q) => q.driver.windows.driver.store16(4 + 2 * 2, 2)],
  ])('the driver is told of frames before %s that breaks the queue', (_what, attack) => {
    const q = netQueue(256, PLAIN)
    const source = new ArraySource()
    source.waiting.push(frame(0), frame(1), frame(2))
    offer(q, 2, 2048)
    q.driver.addOne(0x1000, 2048, true)
    attack(q)
    q.driver.windows.driver.store16Release(2, 3)
    let signals = 0
    const rx = round(q, source, () => signals++)
    expect([rx.run(), rx.end, signals]).toEqual([2, 'broken', 1])
    expect(received(q).length).toBe(2)
    expect([rx.run(), rx.end, signals]).toEqual([0, 'broken', 1])
  })

  it.each(['elements', 'index'] as const)(
    'used %s that miss their translation are published by a later round',
    (missing) => {
      const q = netQueue(256, PLAIN)
      const source = new ArraySource()
      source.waiting.push(frame(0), frame(1))
      offer(q, 1, 2048)
      q.used.missing = missing
      let signals = 0
      const rx = round(q, source, () => signals++)
      expect([rx.run(), rx.end, q.driver.getUsed(), signals]).toEqual([1, 'miss', false, 0])
      q.used.missing = 'none'
      source.waiting.length = 0
      expect([rx.run(), rx.end, signals]).toEqual([0, 'empty', 1])
      expect(received(q).map(([, data]) => data)).toEqual([frame(0).slice(12)])
      expect(q.device.broken).toBeNull()
    },
  )

  it('payload that was written is in the migration log, and nothing else is', () => {
    const q = netQueue(256, PLAIN)
    const source = new ArraySource()
    const log = DirtyBitmap.forGuest(2 * HIGH)
    source.waiting.push(frame(0, 5000))
    offer(q, 1, 8192)
    round(q, source, () => {}, log).run()
    expect(log.take()).toEqual([HEAP / 4096, HEAP / 4096 + 1])
  })

  it('a missing translation leaves the frame waiting', () => {
    const q = netQueue(256, PLAIN)
    const source = new ArraySource()
    source.waiting.push(frame(0))
    offer(q, 1, 2048)
    q.map.missing = HEAP
    const rx = round(q, source)
    expect([rx.run(), rx.end, source.waiting.length]).toEqual([0, 'miss', 1])
    q.map.missing = Number.POSITIVE_INFINITY
    expect([rx.run(), rx.end]).toEqual([1, 'empty'])
    expect(received(q).length).toBe(1)
  })

  it.each<[string, string, (q: NetQueue) => void]>([
    ['a readable descriptor', 'readable-in-rx', (q) => q.driver.addOne(HEAP, 2048, false)],
    ['a buffer in a hole', 'buffer-fault', (q) => q.driver.addOne(0x1000, 2048, true)],
  ])('%s breaks the queue; frames before it are published', (_title, reason, attack) => {
    const q = netQueue(256, PLAIN)
    const source = new ArraySource()
    source.waiting.push(frame(0), frame(1), frame(2))
    offer(q, 2, 2048)
    attack(q)
    q.driver.publish()
    const rx = round(q, source)
    rx.run()
    expect([rx.end, q.device.broken, source.waiting.length]).toEqual(['broken', reason, 1])
    expect(received(q).length).toBe(2)
  })
})
