import { EFAULT } from '@vring/layout'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DirtyBitmap, noDirtyLog } from './dirty-log.ts'

const PAGE = 4096

describe('DirtyBitmap', () => {
  it('sets bit p % 8 of byte p / 8 for the page of a write', () => {
    const bytes = new Uint8Array(4)
    const log = new DirtyBitmap(bytes)
    expect(log.write(9 * PAGE + 5, 1)).toBe(0)
    expect(bytes).toEqual(Uint8Array.of(0, 0b10, 0, 0))
  })

  it('notes every page that a write touches, and no other', () => {
    fc.assert(
      fc.property(fc.nat(64 * PAGE - 1), fc.nat(5 * PAGE), (address, length) => {
        const log = new DirtyBitmap(new Uint8Array(8))
        const fits = length <= 64 * PAGE - address
        expect(log.write(address, length)).toBe(length === 0 || fits ? 0 : EFAULT)
        for (let page = 0; page < 64; page++) {
          const touched = fits && length > 0 && page * PAGE < address + length && address < (page + 1) * PAGE
          expect(log.isDirty(page * PAGE)).toBe(touched)
        }
      }),
      { numRuns: 100 },
    )
  })

  it('notes nothing for length 0, also where the log does not reach', () => {
    const log = new DirtyBitmap(new Uint8Array(1))
    expect(log.write(0, 0)).toBe(0)
    expect(log.write(2 ** 40, 0)).toBe(0)
    expect(log.bytes[0]).toBe(0)
  })

  it('refuses with -EFAULT what it does not reach or what wraps, and notes nothing of it', () => {
    const log = new DirtyBitmap(new Uint8Array(1))
    for (const [address, length] of [
      [7 * PAGE, PAGE + 1],
      [8 * PAGE, 1],
      [2 ** 53, 1],
      [-1, 1],
      [0, 2 ** 60],
      [0, -1],
      [Number.NaN, 1],
      [0, Number.NaN],
    ] as const)
      expect(log.write(address, length)).toBe(EFAULT)
    expect(log.bytes[0]).toBe(0)
    expect(log.isDirty(8 * PAGE)).toBe(false)
    expect(log.isDirty(-1)).toBe(false)
  })

  it('keeps bits that the other side has set or not yet cleared, in shared memory', () => {
    const bytes = new Uint8Array(new SharedArrayBuffer(1))
    const log = new DirtyBitmap(bytes)
    bytes[0] = 0x80
    log.write(0, 1)
    expect(bytes[0]).toBe(0x81)
  })

  it('reaches pages beyond 32-bit addresses', () => {
    const log = DirtyBitmap.forGuest(2 ** 36)
    expect(log.bytes.length).toBe(2 ** 21)
    log.write(2 ** 36 - 1, 1)
    expect(log.take()).toEqual([2 ** 24 - 1])
    expect(log.take()).toEqual([])
  })

  it('the log while no migration runs takes everything', () => {
    expect(noDirtyLog.write(2 ** 60, 1)).toBe(0)
  })
})
