import { memoryView } from '@vring/memory'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FrameQueue } from './frame-queue.ts'

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
