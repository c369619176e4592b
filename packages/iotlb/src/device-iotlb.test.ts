import { isVringError } from '@vring/layout'
import { ACCESS_READ, ACCESS_WRITE } from '@vring/memory'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DeviceIotlb, IOTLB_ENTRIES_MAX, IOVA_MAX } from './device-iotlb.ts'
import type { IotlbMiss } from './iotlb.ts'

const RW = ACCESS_READ | ACCESS_WRITE

const codeOf = (act: () => unknown): string => {
  try {
    act()
  } catch (error) {
    if (isVringError(error)) return error.code
    throw error
  }
  return 'no error'
}

describe('DeviceIotlb', () => {
  it('finds the entry that holds an address, to both of its ends and not beyond', () => {
    const iotlb = new DeviceIotlb()
    iotlb.update(0x1000, 0x1000, 0x7f0000000000, RW)
    expect(iotlb.lookup(0xfff)).toBeNull()
    expect(iotlb.lookup(0x1000)).toEqual({ iova: 0x1000, last: 0x1fff, uaddr: 0x7f0000000000, perm: RW })
    expect(iotlb.lookup(0x1fff)).not.toBeNull()
    expect(iotlb.lookup(0x2000)).toBeNull()
    expect(iotlb.lookup(Number.NaN)).toBeNull()
  })

  it('agrees with a plain list for any sequence of overlapping updates and invalidations', () => {
    const step = fc.record({
      kind: fc.constantFrom('update', 'update', 'invalidate'),
      iova: fc.nat(60),
      size: fc.integer({ min: 1, max: 20 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 2, max: 8 }), (steps, limit) => {
        const iotlb = new DeviceIotlb({ limit })
        // In age order, as the kernel's list; the tree finds the one that begins first, the older of equals.
        let list: { iova: number; last: number; uaddr: number }[] = []
        let uaddr = 0
        for (const { kind, iova, size } of steps) {
          const last = iova + size - 1
          if (kind === 'update') {
            uaddr += 4096
            iotlb.update(iova, size, uaddr, RW)
            if (list.length === limit) list.shift()
            list.push({ iova, last, uaddr })
          } else {
            iotlb.invalidate(iova, size)
            list = list.filter((entry) => entry.iova > last || entry.last < iova)
          }
          for (let at = 0; at < 82; at++) {
            const hits = list.filter((entry) => entry.iova <= at && at <= entry.last)
            const first = hits.reduce<(typeof hits)[0] | null>(
              (best, entry) => (best === null || entry.iova < best.iova ? entry : best),
              null,
            )
            expect(iotlb.lookup(at)?.uaddr).toBe(first?.uaddr)
          }
          expect(iotlb.size).toBe(list.length)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('retires the oldest entry when 2048 are there', () => {
    const iotlb = new DeviceIotlb()
    for (let i = 0; i < IOTLB_ENTRIES_MAX; i++) iotlb.update(i * 4096, 4096, i * 4096, RW)
    expect(iotlb.size).toBe(2048)
    expect(iotlb.lookup(0)).not.toBeNull()
    iotlb.update(IOTLB_ENTRIES_MAX * 4096, 4096, 0, RW)
    expect(iotlb.size).toBe(2048)
    expect(iotlb.lookup(0)).toBeNull()
    expect(iotlb.lookup(4096)).not.toBeNull()
  })

  it('keeps the full range as two entries and translates on both sides of the middle', () => {
    for (const size of [2 ** 64, IOVA_MAX + 1]) {
      const iotlb = new DeviceIotlb()
      iotlb.update(0, size, 0, RW)
      expect(iotlb.size).toBe(2)
      const middle = iotlb.entries[1].iova
      for (const iova of [0, middle - 1, middle, IOVA_MAX]) {
        const entry = iotlb.lookup(iova)
        expect(entry === null ? null : entry.uaddr + (iova - entry.iova)).toBe(iova)
      }
    }
  })

  it('refuses size 0, wrapping ranges, bad permissions and changes nothing', () => {
    const iotlb = new DeviceIotlb()
    const generation = iotlb.generation
    expect(codeOf(() => iotlb.update(0, 0, 0, RW))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => iotlb.invalidate(0, 0))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => iotlb.update(4096, 2 ** 64, 0, RW))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => iotlb.update(2 ** 53, 1, 0, RW))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => iotlb.update(-1, 1, 0, RW))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => iotlb.update(0, 1.5, 0, RW))).toBe('ERR_OUT_OF_RANGE')
    expect(codeOf(() => iotlb.update(0, 1, -1, RW))).toBe('ERR_OUT_OF_RANGE')
    for (const perm of [0, 4, 1.5, Number.NaN])
      expect(codeOf(() => iotlb.update(0, 1, 0, perm))).toBe('ERR_INVALID_ARGUMENT')
    expect(codeOf(() => new DeviceIotlb({ limit: 1 }))).toBe('ERR_OUT_OF_RANGE')
    expect(iotlb.generation).toBe(generation)
    expect(iotlb.size).toBe(0)
  })

  it('an invalidation drops whole every entry it touches', () => {
    const iotlb = new DeviceIotlb()
    iotlb.update(0x1000, 0x3000, 0, RW)
    iotlb.update(0x4000, 0x1000, 0, RW)
    iotlb.invalidate(0x3fff, 1)
    expect(iotlb.lookup(0x1000)).toBeNull()
    expect(iotlb.lookup(0x4000)).not.toBeNull()
  })

  it('asks once for a page and permission while the question is open', () => {
    const iotlb = new DeviceIotlb()
    iotlb.miss(0x1000, ACCESS_READ)
    iotlb.miss(0x1ff0, ACCESS_READ)
    iotlb.miss(0x1000, ACCESS_WRITE)
    expect(iotlb.takeMisses()).toEqual([
      { iova: 0x1000, perm: ACCESS_READ },
      { iova: 0x1000, perm: ACCESS_WRITE },
    ])
    expect(iotlb.takeMisses()).toEqual([])
    iotlb.miss(0x1000, ACCESS_READ)
    expect(iotlb.takeMisses()).toEqual([])
    expect(iotlb.openMisses).toBe(2)
  })

  it('asks again what is open, and nothing that was answered', () => {
    const asked: IotlbMiss[] = []
    for (const iotlb of [new DeviceIotlb(), new DeviceIotlb({ onMiss: (miss) => asked.push(miss) })]) {
      for (const page of [1, 2, 3]) iotlb.miss(page * 4096, ACCESS_READ)
      iotlb.takeMisses()
      asked.length = 0
      iotlb.update(0x2000, 0x1000, 0, ACCESS_READ)
      iotlb.askAgain()
      expect([...iotlb.takeMisses(), ...asked].map(({ iova }) => iova)).toEqual([0x1000, 0x3000])
      expect(iotlb.openMisses).toBe(2)
    }
  })

  it('bounds the open questions, whatever a driver makes the device ask', () => {
    const iotlb = new DeviceIotlb()
    for (let page = 0; page < 3000; page++) iotlb.miss(page * 4096, ACCESS_READ)
    expect(iotlb.openMisses).toBe(2048)
    const misses = iotlb.takeMisses()
    expect(misses).toHaveLength(2048)
    expect(misses.at(-1)?.iova).toBe(2999 * 4096)
  })

  it('an update resumes those whose address it covers, and only those', () => {
    const asked: IotlbMiss[] = []
    const iotlb = new DeviceIotlb({ onMiss: (miss) => asked.push(miss) })
    const resumed: number[] = []
    const stop = iotlb.onUpdate(({ iova }) => resumed.push(iova))
    iotlb.miss(0x1000, ACCESS_READ)
    iotlb.miss(0x8000, ACCESS_READ)
    expect(asked).toHaveLength(2)
    iotlb.update(0x1000, 0x1000, 0, ACCESS_READ)
    expect(resumed).toEqual([0x1000])
    expect(iotlb.openMisses).toBe(1)
    stop()
    iotlb.update(0x8000, 0x1000, 0, ACCESS_READ)
    expect(resumed).toEqual([0x1000])
    // Answered, gone again: a new question.
    iotlb.invalidate(0x1000, 0x1000)
    iotlb.miss(0x1000, ACCESS_READ)
    expect(asked).toHaveLength(3)
  })

  it('every change is a new generation; reset forgets entries and questions', () => {
    const iotlb = new DeviceIotlb()
    const seen = new Set([iotlb.generation])
    iotlb.update(0, 4096, 0, RW)
    seen.add(iotlb.generation)
    iotlb.invalidate(0, 4096)
    seen.add(iotlb.generation)
    iotlb.miss(0, ACCESS_READ)
    iotlb.reset()
    seen.add(iotlb.generation)
    expect(seen.size).toBe(4)
    expect([iotlb.size, iotlb.openMisses, iotlb.takeMisses().length]).toEqual([0, 0, 0])
    iotlb.update(0, 4096, 0, RW)
    expect(iotlb.lookup(0)).not.toBeNull()
  })
})
