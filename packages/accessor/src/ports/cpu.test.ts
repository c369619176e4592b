import { ACCESS_READ, MappedSpace, memoryView } from '@vring/memory'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CountingCpu, noSteps } from './counting-cpu.ts'
import type { Cpu } from './cpu.ts'
import { barrierCpu, plainCpu } from './plain-cpu.ts'
import { RecordingCpu } from './recording-cpu.ts'

const ports: readonly (readonly [string, () => Cpu])[] = [
  ['plainCpu', () => plainCpu],
  ['barrierCpu', () => barrierCpu],
  ['CountingCpu', () => new CountingCpu()],
  ['RecordingCpu', () => new RecordingCpu()],
]

/** One call of every port method that touches memory; what each returned. */
function touch(cpu: Cpu, buffer: ArrayBuffer, offset: number, value: number): unknown[] {
  const view = memoryView(buffer)
  const words = Uint32Array.of(0, value, ~value, value ^ 0x5555_5555, value)
  const half = offset >>> 1
  const word = offset >>> 2
  cpu.store16(view.u16, half, value & 0xffff)
  cpu.store16Release(view.u16, half + 1, (value >>> 16) & 0xffff)
  cpu.store32(view.u32, word + 1, value)
  cpu.rmb()
  cpu.wmb()
  cpu.storeWords(view.u32, word + 2, words, 1, 4)
  cpu.mb()
  cpu.copy(view, offset + 25, view, offset + 1, 7)
  const out = new Uint32Array(6)
  cpu.loadWords(view.u32, word, out, 1, 4)
  return [
    cpu.load16(view.u16, half),
    cpu.load16Acquire(view.u16, half + 1),
    cpu.load32(view.u32, word + 1),
    cpu.load64(view.u32, word + 2),
    [...out],
  ]
}

describe.each(ports)('%s', (_, make) => {
  it('checkLimit and mask know the ends of their range and never wrap', () => {
    const cpu = make()
    const limit = 2 ** 47 - 4096
    expect(cpu.checkLimit(0, limit, limit)).toBe(true)
    expect(cpu.checkLimit(limit - 2, 2, limit)).toBe(true)
    expect(cpu.checkLimit(limit - 1, 2, limit)).toBe(false)
    expect(cpu.checkLimit(limit, 0, limit)).toBe(true)
    expect(cpu.checkLimit(-2, 2, limit)).toBe(false)
    expect(cpu.checkLimit(2 ** 53 - 1, 2 ** 53 - 1, limit)).toBe(false)
    expect(cpu.mask(0, 1)).toBe(0)
    expect(cpu.mask(limit - 1, limit)).toBe(limit - 1)
    for (const outside of [limit, 2 ** 60, -1, Number.NaN]) expect(cpu.mask(outside, limit)).toBe(0)
    for (const [index, size] of [
      [0, 1],
      [7, 8],
      [65535, 65536],
      [2 ** 31 - 2, 2 ** 31 - 1],
    ] as const)
      expect(cpu.indexNospec(index, size)).toBe(index)
    for (const [index, size] of [
      [8, 8],
      [65535, 8],
      [2 ** 31 - 1, 1],
    ] as const)
      expect(cpu.indexNospec(index, size)).toBe(0)
    expect(cpu.predict(true)).toBe(true)
    expect(cpu.predict(false)).toBe(false)
  })

  it('does to memory what plainCpu does', () => {
    fc.assert(
      fc.property(fc.nat(15), fc.integer({ min: 0, max: 0xffff_ffff }), (slot, value) => {
        const mine = new ArrayBuffer(256)
        const plain = new ArrayBuffer(256)
        expect(touch(make(), mine, 8 * slot, value)).toEqual(touch(plainCpu, plain, 8 * slot, value))
        expect(new Uint8Array(mine)).toEqual(new Uint8Array(plain))
      }),
      { numRuns: 50 },
    )
  })

  it('translates as the map does', () => {
    const view = memoryView(new ArrayBuffer(64))
    const space = new MappedSpace([{ address: 0x1000, length: 64, view, viewOffset: 0 }])
    expect(make().translate(space, 0x1010, 8, ACCESS_READ)).toBe(space.resolve(0x1010, 8, ACCESS_READ))
  })
})

describe('a copy', () => {
  it('moves exactly its bytes, whatever the alignment and the length', () => {
    const length = fc.oneof(fc.nat(40), fc.integer({ min: 370, max: 400 }))
    fc.assert(
      fc.property(fc.nat(40), fc.nat(40), length, fc.constantFrom(0, 4), (toOffset, fromOffset, length, odd) => {
        const bytes = 448 + odd
        const from = memoryView(new ArrayBuffer(bytes))
        const to = memoryView(new ArrayBuffer(bytes))
        for (let i = 0; i < bytes; i++) from.u8[i] = (i * 37 + 11) & 0xff
        const expected = new Uint8Array(bytes)
        expected.set(from.u8.subarray(fromOffset, fromOffset + length), toOffset)
        plainCpu.copy(to, toOffset, from, fromOffset, length)
        expect(to.u8).toEqual(expected)
      }),
    )
  })

  it('reaches the last bytes of a buffer that is no multiple of 8', () => {
    const from = memoryView(new ArrayBuffer(20))
    const to = memoryView(new ArrayBuffer(20))
    from.u8.fill(7)
    plainCpu.copy(to, 0, from, 0, 20)
    expect([...to.u8]).toEqual(Array(20).fill(7))
  })
})

describe('CountingCpu', () => {
  it('counts every step: two words of a copy are one load or store, payload is bytes', () => {
    const cpu = new CountingCpu()
    touch(cpu, new ArrayBuffer(64), 0, 1)
    cpu.stac()
    expect(cpu.ac).toBe(true)
    cpu.clac()
    expect(cpu.ac).toBe(false)
    cpu.lfence()
    cpu.lock()
    cpu.unlock()
    cpu.iotlbLookup()
    cpu.mask(1, 2)
    cpu.indexNospec(1, 2)
    cpu.checkLimit(1, 2, 3)
    expect(cpu.steps).toEqual({
      stac: 1,
      clac: 1,
      lfence: 1,
      mb: 1,
      rmb: 1,
      wmb: 1,
      limitCheck: 1,
      mask: 2,
      walk: 0,
      load: 6,
      store: 5,
      copyBytes: 7,
      lock: 1,
      iotlbLookup: 1,
    })
    cpu.reset()
    expect(cpu.steps).toEqual(noSteps())
  })
})

describe('RecordingCpu', () => {
  it('keeps the steps in order, with where, how long and whether they order others', () => {
    const cpu = new RecordingCpu()
    const view = memoryView(new ArrayBuffer(64))
    cpu.lock()
    cpu.stac()
    cpu.load16Acquire(view.u16, 1)
    cpu.storeWords(view.u32, 2, new Uint32Array(4), 0, 4)
    cpu.store16Release(view.u16, 2, 1)
    cpu.clac()
    expect(cpu.names()).toEqual(['lock', 'stac', 'load', 'store', 'store', 'store', 'clac'])
    expect(cpu.recorded.filter(({ at }) => at >= 0)).toEqual([
      { step: 'load', at: 2, length: 2, ordered: true },
      { step: 'store', at: 8, length: 8, ordered: false },
      { step: 'store', at: 16, length: 8, ordered: false },
      { step: 'store', at: 4, length: 2, ordered: true },
    ])
    cpu.reset()
    expect(cpu.recorded).toEqual([])
    expect(cpu.steps).toEqual(noSteps())
  })
})
