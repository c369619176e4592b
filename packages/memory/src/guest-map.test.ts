import { EFAULT, EXDEV } from '@vring/layout'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { codeOf } from '../test/code-of.ts'
import { ACCESS_READ, ACCESS_WRITE } from './address-map.ts'
import { GUEST_SLOTS_MAX, GuestMap, type GuestRegion } from './guest-map.ts'
import { PagedSpace } from './paged/paged-space.ts'

const PAGE = 4096

/** Two regions that are neighbours for the guest and far apart in the process, a hole, and a third one above 4 GiB. */
function setup() {
  const space = new PagedSpace({ frames: 16 })
  const user = space.mmap({ length: 12 * PAGE, populate: true })
  const regions: GuestRegion[] = [
    { guestAddress: 2 * PAGE, length: 2 * PAGE, userAddress: user },
    { guestAddress: 0, length: 2 * PAGE, userAddress: user + 8 * PAGE },
    { guestAddress: 2 ** 32, length: 2 * PAGE, userAddress: user + 4 * PAGE },
  ]
  return { space, user, regions, map: new GuestMap(space, regions) }
}

describe('GuestMap', () => {
  it('finds the region whatever was hit before', () => {
    const { space, user, map } = setup()
    const expected: [number, number][] = [
      [0, user + 8 * PAGE],
      [2 * PAGE, user],
      [2 ** 32 + PAGE, user + 5 * PAGE],
      [4 * PAGE - 4, user + 2 * PAGE - 4],
      [PAGE, user + 9 * PAGE],
    ]
    for (const [guest, address] of [...expected, ...expected.toReversed()])
      expect(map.resolve(guest, 4, ACCESS_WRITE)).toBe(space.resolve(address, 4, ACCESS_WRITE))
    expect(map.view).toBe(space.view)
  })

  it('CVE-2013-0311: a range that runs into the next region is -EXDEV and goes by spans of the right length', () => {
    const { space, user, map } = setup()
    expect(map.resolve(2 * PAGE - 8, 16, ACCESS_READ)).toBe(EXDEV)
    expect(map.resolveSpan(2 * PAGE - 8, 16, ACCESS_READ)).toBe(space.resolve(user + 10 * PAGE - 8, 8, ACCESS_READ))
    expect(map.span).toBe(8)
    expect(map.resolveSpan(2 * PAGE, 8, ACCESS_READ)).toBe(space.resolve(user, 8, ACCESS_READ))
    expect(map.span).toBe(8)
  })

  it('CVE-2018-1059: a range that runs into a hole is -EFAULT, and so is the hole', () => {
    const { map } = setup()
    for (const [address, length] of [
      [4 * PAGE - 4, 8],
      [4 * PAGE, 1],
      [2 ** 32 - 1, 1],
      [2 ** 32 + 2 * PAGE, 1],
      [2 ** 32, 2 ** 32],
      [2 ** 53, 1],
      [2 ** 63, 16],
      [-1, 1],
      [Number.NaN, 1],
      [0, Number.NaN],
      [0, -1],
    ] as const)
      expect(map.resolve(address, length, ACCESS_READ), `${address}+${length}`).toBe(EFAULT)
    expect(map.resolveSpan(4 * PAGE, 1, ACCESS_READ)).toBe(EFAULT)
    expect(map.resolveSpan(Number.NaN, 1, ACCESS_READ)).toBe(EFAULT)
    expect(map.resolveSpan(0, -1, ACCESS_READ)).toBe(EFAULT)
  })

  it('agrees with a plain search over 509 regions', () => {
    const space = { view: setup().space.view, span: 0, resolve: (at: number) => at, resolveSpan: (at: number) => at }
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 509, maxLength: 509 }),
        fc.array(fc.nat(4000), { minLength: 50, maxLength: 50 }),
        (lengths, addresses) => {
          let at = 0
          const regions = lengths.map((length, i) => {
            const region = { guestAddress: at, length, userAddress: 10_000 * (i + 1) }
            // Every other one has a hole after it.
            at += length + (i % 2)
            return region
          })
          const map = new GuestMap(space, regions)
          for (const address of addresses) {
            const region = regions.find((r) => r.guestAddress <= address && address < r.guestAddress + r.length)
            expect(map.resolve(address, 1, ACCESS_READ)).toBe(
              region === undefined ? EFAULT : region.userAddress + address - region.guestAddress,
            )
          }
        },
      ),
      { numRuns: 20 },
    )
  })

  it('refuses overlapping, empty, wrapping and too many regions, and keeps what it had', () => {
    const { regions, map } = setup()
    const [first] = regions
    expect(codeOf(() => map.replaceRegions([...regions, { ...first, guestAddress: 3 * PAGE }]))).toBe('ERR_OVERLAP')
    for (const bad of [
      { ...first, length: 0 },
      { ...first, length: 2 ** 60 },
      { ...first, guestAddress: -1 },
      { ...first, guestAddress: 2 ** 53 - PAGE, length: 2 * PAGE },
      { ...first, userAddress: 2 ** 53 },
      { ...first, userAddress: 2 ** 53 - PAGE, length: 2 * PAGE },
      { ...first, guestAddress: 0.5 },
    ])
      expect(codeOf(() => map.replaceRegions([bad]))).toBe('ERR_OUT_OF_RANGE')
    const many = Array.from({ length: GUEST_SLOTS_MAX + 1 }, (_, i) => ({ ...first, guestAddress: i * 4 * PAGE }))
    expect(codeOf(() => map.replaceRegions(many))).toBe('ERR_OUT_OF_RANGE')
    map.replaceRegions(many.slice(1))
    expect(codeOf(() => map.addRegion(many[0]!))).toBe('ERR_OUT_OF_RANGE')
    expect(map.regions).toHaveLength(GUEST_SLOTS_MAX)
    map.replaceRegions(regions)
    expect(map.resolve(0, 4, ACCESS_READ)).toBeGreaterThanOrEqual(0)
  })

  it('regions that come and go one by one are the table that is given as a whole, or are refused as it is', () => {
    const { space, user } = setup()
    const step = fc.record({ at: fc.nat(9), length: fc.integer({ min: 1, max: 3 }), remove: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const map = new GuestMap(space, [])
        let regions: GuestRegion[] = []
        for (const { at, length, remove } of steps) {
          const region = { guestAddress: at * PAGE, length: length * PAGE, userAddress: user + at * PAGE }
          const next = remove
            ? regions.filter((other) => other.guestAddress !== region.guestAddress)
            : [...regions, region]
          const { regions: before } = map
          const code = codeOf(() => (remove ? map.removeRegion(region.guestAddress) : map.addRegion(region)))
          const whole = new GuestMap(space, [])
          const expected = codeOf(() => whole.replaceRegions(next))
          const there = !remove || next.length < regions.length
          expect(code).toBe(there ? expected : 'ERR_OUT_OF_RANGE')
          if (code === 'no error') regions = next
          else expect(map.regions).toBe(before)
          if (code === 'no error') expect(map.regions).toEqual(whole.regions)
          for (let page = 0; page < 12; page++)
            expect(map.resolve(page * PAGE, 4, ACCESS_READ)).toBe(
              new GuestMap(space, regions).resolve(page * PAGE, 4, ACCESS_READ),
            )
        }
      }),
    )
  })

  it('a replacement takes effect at once, also on the region of the last hit', () => {
    const { space, user, map } = setup()
    map.resolve(0, 4, ACCESS_READ)
    map.replaceRegions([{ guestAddress: 0, length: PAGE, userAddress: user }])
    expect(map.resolve(0, 4, ACCESS_READ)).toBe(space.resolve(user, 4, ACCESS_READ))
    expect(map.resolve(PAGE, 4, ACCESS_READ)).toBe(EFAULT)
    map.replaceRegions([])
    for (const address of [0, 2 ** 53 - 1, Number.POSITIVE_INFINITY])
      expect(map.resolve(address, 1, ACCESS_READ)).toBe(EFAULT)
  })

  it('finds every guest range that shows a user range, for a log by user address', () => {
    const { user, regions, space } = setup()
    const map = new GuestMap(space, [...regions, { guestAddress: 2 ** 33, length: PAGE, userAddress: user + PAGE }])
    expect(map.guestRanges(user + PAGE - 8, 16)).toEqual([
      { guestAddress: 3 * PAGE - 8, length: 16 },
      { guestAddress: 2 ** 33, length: 8 },
    ])
    expect(map.guestRanges(user + 6 * PAGE, 8)).toEqual([])
  })
})
