import { memoryView } from '@vring/memory'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { netQueue } from '../test/net-queue.ts'
import { FrameBatch, FrameQueue, RxRound, TxRound } from './index.ts'

const HEADER = 12

function frame(bytes: number, seed: number): { view: ReturnType<typeof memoryView>; expected: number[] } {
  const view = memoryView(new ArrayBuffer((HEADER + bytes + 3) & ~3))
  for (let i = 0; i < HEADER + bytes; i++) view.u8[i] = seed + i
  return { view, expected: [...view.u8.subarray(0, HEADER + bytes)] }
}

describe('FrameQueue', () => {
  test('behaves as a bounded list of frames under any sequence of pushes and partial consumes', () => {
    const step = fc.oneof(
      fc.record({ push: fc.integer({ min: 1, max: 90 }) }),
      fc.record({ consume: fc.integer({ min: 1, max: 5 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const queue = new FrameQueue(HEADER, 6, 256)
        const model: number[][] = []
        let seed = 0
        for (const one of steps) {
          if ('push' in one) {
            const { view, expected } = frame(one.push, seed++)
            if (queue.push(view, 0, view, HEADER, one.push)) model.push(expected)
            // It refuses nothing that an empty queue could hold.
            else expect(model.length).toBeGreaterThan(0)
          } else {
            const count = Math.min(one.consume, queue.receive().count)
            queue.consume(count)
            model.splice(0, count)
          }
          const batch = queue.receive()
          expect(queue.waiting).toBe(model.length)
          expect(batch.count).toBe(model.length)
          for (let i = 0; i < batch.count; i++) {
            const at = batch.offset[i]!
            expect([...batch.view.u8.subarray(at, at + batch.length[i]!)]).toEqual(model[i])
          }
        }
      }),
      { numRuns: 150 },
    )
  })

  test('refuses the frame that would exceed its limit, and one that is longer than all of it', () => {
    const queue = new FrameQueue(HEADER, 2, 256)
    const { view } = frame(20, 0)
    expect([1, 2, 3].map(() => queue.push(view, 0, view, HEADER, 20))).toEqual([true, true, false])
    const long = frame(300, 0).view
    expect(new FrameQueue(HEADER, 2, 256).push(long, 0, long, HEADER, 300)).toBe(false)
  })
})

describe('what can’t carry frames is refused when it is made', () => {
  test('a batch without a virtio-net header, or in a view that has no room for one', () => {
    const room = (bytes: number) => memoryView(new ArrayBuffer(bytes))
    for (const bytes of [0, 11, 14, -12, Number.NaN, 1.5])
      expect(() => new FrameBatch(bytes, room(4096)), `${bytes}`).toThrow(`headerBytes is ${bytes}; accepted: 10 or 12`)
    expect(() => new FrameBatch(undefined as never)).toThrow('headerBytes is undefined')
    expect(() => new FrameBatch(12, room(8))).toThrow('view is 8 bytes; accepted: room for a header of 12 bytes')
    expect(new FrameBatch(10, room(12)).count).toBe(0)
    expect(new FrameBatch(12).view.u8.length).toBe(0)
  })

  test('a queue of no frames or of bytes that are no room', () => {
    expect(() => new FrameQueue(0, 1, 64)).toThrow('headerBytes is 0')
    expect(() => new FrameQueue(HEADER, 0, 64)).toThrow('limit is 0; accepted: 1 to 65536 frames')
    expect(() => new FrameQueue(HEADER, 1, 63)).toThrow('bytes is 63; accepted: a multiple of 4')
  })

  test('a round over no backend, no source, or an unknown payload', () => {
    const { device: queue, map: buffers, cpu, features } = netQueue()
    const options = { queue, buffers, cpu, features }
    const backend = { name: 'b', transmit: () => 0, flush: () => {}, close: () => {}, counters: {} } as never
    expect(() => new TxRound({ ...options } as never)).toThrow('backend is undefined; accepted: a NetBackend')
    expect(() => new TxRound({ ...options, backend: { transmit: () => 0 } } as never)).toThrow(
      'backend.flush is undefined; accepted: a function',
    )
    expect(() => new TxRound({ ...options, backend, payload: 'zero-copy' as never })).toThrow(
      'payload is zero-copy; accepted: in-place, copy, copy-split',
    )
    expect(() => new RxRound({ ...options, source: () => null } as never)).toThrow('accepted: a FrameSource')
    expect(() => new RxRound({ ...options, source: { receive: () => null } } as never)).toThrow('source.consume')
  })
})
