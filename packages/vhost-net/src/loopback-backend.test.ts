import { memoryView } from '@vring/memory'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FrameBatch, NET_BATCH } from './frame-batch.ts'
import { LoopbackBackend } from './loopback-backend.ts'
import { FRAME_BYTES_MAX } from './round.ts'

const STRIDE = 66_000

/** A batch of frames of these lengths, in memory that is full of `fill`; each frame begins with its number. */
function batchOf(lengths: readonly number[], fill = 0, headerBytes = 12): FrameBatch {
  const batch = new FrameBatch(headerBytes, memoryView(new ArrayBuffer(Math.max(1, lengths.length) * STRIDE)))
  batch.view.u8.fill(fill)
  for (const [i, length] of lengths.entries()) {
    batch.offset[i] = i * STRIDE
    batch.length[i] = headerBytes + length
  }
  batch.count = lengths.length
  return batch
}

function frames(batch: FrameBatch): Uint8Array[] {
  return Array.from({ length: batch.count }, (_, i) =>
    batch.view.u8.slice(batch.offset[i]! + batch.headerBytes, batch.offset[i]! + batch.length[i]!),
  )
}

describe('LoopbackBackend', () => {
  test('gives every frame back in order, after an empty header, until it is consumed', () => {
    const loop = new LoopbackBackend()
    const sent = batchOf([60, 61, 1514, FRAME_BYTES_MAX], 0xa5, 10)
    for (let i = 0; i < 4; i++) sent.view.u8[sent.offset[i]! + 10] = i
    expect(loop.transmit(sent)).toBe(4)
    loop.flush()
    const back = loop.receive()
    expect(Buffer.concat(frames(back)).equals(Buffer.concat(frames(sent)))).toBe(true)
    expect(back.headerBytes).toBe(12)
    for (let i = 0; i < 4; i++)
      expect(back.view.u8.subarray(back.offset[i]!, back.offset[i]! + 12).every((byte) => byte === 0)).toBe(true)
    loop.consume(1)
    expect(frames(loop.receive())).toEqual(frames(sent).slice(1))
    loop.consume(3)
    expect(loop.receive().count).toBe(0)
    expect(loop.counters).toEqual({ txFrames: 4, txBytes: 60 + 61 + 1514 + FRAME_BYTES_MAX, txDropped: {} })
  })

  test('is a copy: what the driver does to its memory afterwards changes nothing', () => {
    const loop = new LoopbackBackend()
    const sent = batchOf([64], 7)
    loop.transmit(sent)
    sent.view.u8.fill(9)
    expect(frames(loop.receive())[0]!.every((byte) => byte === 7)).toBe(true)
  })

  test('passes frames on from where they are while none waits and a ring receives; what is left is copied', () => {
    const loop = new LoopbackBackend()
    const sent = batchOf([60, 61, 62], 7)
    const given: [FrameBatch, number, boolean][] = []
    let room = 2
    loop.connect(() => {
      const batch = loop.receive()
      given.push([batch, batch.count, batch.bare])
      loop.consume(Math.min(room, batch.count))
      given.push([loop.receive(), loop.receive().count, false])
    })
    expect([loop.transmit(sent), loop.waiting, sent.bare]).toEqual([3, 1, false])
    expect(given[0]).toEqual([sent, 3, true])
    // It is not in hand twice: the rest waits in the loopback's own memory, and so does what comes after it.
    expect(given[1]![1]).toBe(0)
    room = 3
    loop.transmit(sent)
    expect([given.length, loop.waiting]).toEqual([2, 4])
    expect(frames(loop.receive()).map((frame) => frame.length)).toEqual([62, 60, 61, 62])
    loop.consume(4)
    loop.transmit(sent)
    expect([given.length, loop.waiting]).toEqual([4, 0])
    loop.connect(null)
    loop.transmit(sent)
    expect(loop.waiting).toBe(3)
    expect(loop.counters).toEqual({ txFrames: 12, txBytes: 4 * 183, txDropped: {} })
  })

  test('a batch with a frame that is too short passes through memory, and a ring that throws has taken nothing', () => {
    const loop = new LoopbackBackend()
    const sent = batchOf([60, 13])
    loop.connect(() => {
      throw new Error('lost')
    })
    loop.transmit(sent)
    expect([loop.waiting, loop.counters.txDropped]).toEqual([1, { short: 1 }])
    loop.clear()
    sent.count = 1
    expect(() => loop.transmit(sent)).toThrow('lost')
    expect([sent.bare, loop.receive().count]).toEqual([false, 0])
  })

  test('drops and counts what is too short, and what finds no room', () => {
    const loop = new LoopbackBackend({ limit: 3 })
    loop.transmit(batchOf([13, 14, 60, 0, 60, 60]))
    expect(loop.waiting).toBe(3)
    expect(loop.counters.txDropped).toEqual({ short: 2, full: 1 })
    const small = new LoopbackBackend({ bytes: 65_568 })
    small.transmit(batchOf([FRAME_BYTES_MAX, 14]))
    expect(small.waiting).toBe(1)
    expect(small.counters.txDropped).toEqual({ full: 1 })
  })

  test('forgets what waits when it is cleared, and counts it', () => {
    const loop = new LoopbackBackend()
    loop.transmit(batchOf([60, 60]))
    loop.clear()
    expect(loop.receive().count).toBe(0)
    expect(loop.counters.txDropped).toEqual({ cleared: 2 })
    loop.transmit(batchOf([60]))
    expect(loop.receive().count).toBe(1)
  })

  test('behaves as a list of frames, whatever is sent and consumed', () => {
    const step = fc.oneof(
      fc.record({ send: fc.array(fc.integer({ min: 14, max: 4000 }), { minLength: 1, maxLength: NET_BATCH }) }),
      fc.record({ consume: fc.integer({ min: 0, max: NET_BATCH }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const loop = new LoopbackBackend({ limit: 50, bytes: 65_568 })
        const sent = new FrameBatch(12, memoryView(new ArrayBuffer(4096)))
        sent.count = 1
        let expected: Buffer[] = []
        let mark = 0
        for (const one of steps) {
          if ('consume' in one) {
            const count = Math.min(one.consume, loop.receive().count)
            loop.consume(count)
            expected = expected.slice(count)
          } else {
            // One at a time, so that the number that waits says which were taken.
            for (const length of one.send) {
              sent.view.u8.fill(++mark & 0xff)
              sent.length[0] = 12 + length
              const before = loop.waiting
              loop.transmit(sent)
              if (loop.waiting > before) expected.push(Buffer.alloc(length, mark & 0xff))
            }
          }
          const { count, view, offset, length } = loop.receive()
          expect([loop.waiting, count]).toEqual([expected.length, Math.min(expected.length, NET_BATCH)])
          for (let i = 0; i < count; i++)
            expect(expected[i]!.equals(view.u8.subarray(offset[i]! + 12, offset[i]! + length[i]!))).toBe(true)
        }
      }),
      { numRuns: 50 },
    )
  })

  test.each([[{ limit: 0 }], [{ limit: 65_537 }], [{ bytes: 65_560 }], [{ bytes: 65_566 }]])(
    'refuses %j',
    (options) => {
      expect(() => new LoopbackBackend(options)).toThrow(/is \w+; accepted: /)
    },
  )
})
