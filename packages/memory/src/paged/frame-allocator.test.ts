import { ENOMEM } from '@vring/layout'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameAllocator } from './frame-allocator.ts'

const all = (allocator: FrameAllocator): number[] => {
  const frames: number[] = []
  for (let frame = allocator.allocate(); frame >= 0; frame = allocator.allocate()) frames.push(frame)
  return frames
}

describe('FrameAllocator', () => {
  it('gives every frame once, then -ENOMEM, under both policies and any highmem', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.nat(200),
        fc.constantFrom('contiguous' as const, 'scattered' as const),
        (count, high, policy) => {
          const allocator = new FrameAllocator(count, Math.min(high, count), policy)
          const frames = all(allocator)
          expect(frames.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i))
          expect(allocator.free).toBe(0)
          expect(allocator.allocate()).toBe(ENOMEM)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('contiguous frames are neighbours; scattered ones never are', () => {
    const step = (frames: number[]): number[] => frames.slice(1).map((frame, i) => frame - frames[i])
    expect(step(all(new FrameAllocator(64, 0, 'contiguous')))).toEqual(Array(63).fill(1))
    for (const frames of [8, 16, 64, 100, 1024])
      expect(step(all(new FrameAllocator(frames, 0, 'scattered'))).filter((by) => by === 1)).toEqual([])
  })

  it('takes highmem first', () => {
    for (const policy of ['contiguous', 'scattered'] as const) {
      const frames = all(new FrameAllocator(16, 4, policy))
      expect(frames.slice(0, 4).every((frame) => frame >= 12)).toBe(true)
      expect(frames.slice(4).every((frame) => frame < 12)).toBe(true)
    }
  })

  it('uses a freed frame again at once', () => {
    const allocator = new FrameAllocator(16, 0, 'contiguous')
    for (let i = 0; i < 5; i++) allocator.allocate()
    allocator.release(2)
    expect(allocator.isUsed(2)).toBe(false)
    expect([allocator.allocate(), allocator.allocate()]).toEqual([2, 5])
  })

  it('huge runs are aligned, and found only where all 512 frames are free', () => {
    const allocator = new FrameAllocator(2048, 0, 'contiguous')
    allocator.allocate()
    expect([allocator.allocateHuge(), allocator.allocateHuge(), allocator.allocateHuge()]).toEqual([512, 1024, 1536])
    expect(allocator.allocateHuge()).toBe(ENOMEM)
    expect(allocator.free).toBe(511)
  })
})
