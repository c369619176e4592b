import { EFAULT, isVringError } from '@vring/layout'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { ACCESS_READ } from './address-map.ts'
import type { MappedRegion } from './mapped-regions.ts'
import { MappedSpace } from './mapped-space.ts'
import { memoryView } from './memory-view.ts'
import { SortedRegions } from './sorted-regions.ts'

const UNIT = 64
const UNITS = 40
const views = [memoryView(new ArrayBuffer(UNITS * UNIT)), memoryView(new ArrayBuffer(UNITS * UNIT))]

/** Where each unit of addresses leads: a view and an offset there; null: nowhere. */
type Model = (readonly [view: number, offset: number] | null)[]

type Step =
  | { readonly kind: 'add'; readonly regions: readonly { at: number; length: number; view: number; shift: number }[] }
  | { readonly kind: 'remove'; readonly at: number; readonly length: number }

const piece = { at: fc.nat(UNITS - 1), length: fc.integer({ min: 1, max: 6 }) }
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('add' as const),
      regions: fc.array(fc.record({ ...piece, view: fc.nat(1), shift: fc.constantFrom(0, 0, 3) }), { maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant('remove' as const), ...piece }),
  ),
  { maxLength: 30 },
)

function told(space: MappedSpace): [number, number][] {
  const ranges: [number, number][] = []
  space.notifiers.register({
    name: 'test',
    invalidateRangeStart({ start, end }) {
      ranges.push([start / UNIT, end / UNIT])
      return 0
    },
    invalidateRangeEnd() {},
  })
  return ranges
}

describe('regions that come and go one by one', () => {
  it('lead where the same table leads that is given as a whole, and listeners hear of what goes only', () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const space = new MappedSpace()
        const ranges = told(space)
        let model: Model = new Array<null>(UNITS).fill(null)
        for (const step of sequence) {
          ranges.length = 0
          const next = apply(space, step, model)
          if (step.kind === 'add' || next === model) expect(ranges).toEqual([])
          else expect(ranges).toEqual([bounds(model, step.at, step.length)])
          model = next
          compare(space, model)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('a thousand that come together, with one amid them, are put in by two steps', () => {
    const splice = vi.spyOn(SortedRegions.prototype, 'splice')
    const [at, step] = [2 ** 30, 2 ** 20]
    const region = (i: number): MappedRegion => ({
      ...{ address: at + i * step, length: UNIT, view: views[i % 2]!, viewOffset: 0 },
    })
    const space = new MappedSpace([region(700)])
    space.addRegions(Array.from({ length: 1000 }, (_, i) => region(i < 700 ? i : i + 1)))
    expect(splice).toHaveBeenCalledTimes(2)
    splice.mockRestore()
    expect(space.regions.map(({ address }) => address)).toEqual(Array.from({ length: 1001 }, (_, i) => at + i * step))
  })

  it('those that continue one another are one, whichever of them comes last, and are cut again', () => {
    const view = views[0]!
    const region = (at: number): MappedRegion => ({
      ...{ address: at * UNIT, length: UNIT, view, viewOffset: at * UNIT },
    })
    const space = new MappedSpace([region(0), region(2)])
    space.addRegions([region(1)])
    expect(space.regions).toEqual([{ ...region(0), length: 3 * UNIT }])
    space.removeRange({ address: UNIT, length: UNIT })
    expect(space.regions).toEqual([region(0), region(2)])
  })

  it('a range with nothing in it is removed without a word; what is no range is refused', () => {
    const space = new MappedSpace([{ address: 4 * UNIT, length: UNIT, view: views[0]!, viewOffset: 0 }])
    const ranges = told(space)
    const { regions } = space
    for (const [at, length] of [
      [0, 4],
      [5, 9],
    ])
      space.removeRange({ address: at! * UNIT, length: length! * UNIT })
    expect(ranges).toEqual([])
    expect(space.regions).toBe(regions)
    for (const [address, length] of [
      [0, 0],
      [-1, 4],
      [0, 2 ** 53],
      [0.5, 1],
    ])
      expect(() => space.removeRange({ address: address!, length: length! })).toThrow(/accepted: [01] \.\. /)
  })

  it('a listener that fails is named, and the range is gone', () => {
    const space = new MappedSpace([{ address: 0, length: UNIT, view: views[0]!, viewOffset: 0 }])
    space.notifiers.register({
      name: 'culprit',
      invalidateRangeStart: () => {
        throw new TypeError('boom')
      },
      invalidateRangeEnd() {},
    })
    expect(() => space.removeRange({ address: 0, length: UNIT })).toThrow('culprit')
    expect(space.resolve(0, 1, ACCESS_READ)).toBe(EFAULT)
  })

  it('a whole table that goes is told as one range, holes and all; one that stays cuts it in two', () => {
    const view = views[0]!
    const regions = Array.from({ length: 5 }, (_, i) => ({
      ...{ address: 2 * i * UNIT, length: UNIT, view, viewOffset: i * UNIT },
    }))
    const space = new MappedSpace(regions)
    const ranges = told(space)
    space.replaceRegions(regions.slice(2, 3))
    space.replaceRegions([])
    expect(ranges).toEqual([
      [0, 3],
      [6, 9],
      [4, 5],
    ])
  })
})

/** Does the step in the space; the model after it, or the same one when nothing was to change. */
function apply(space: MappedSpace, step: Step, model: Model): Model {
  const next = [...model]
  if (step.kind === 'remove') {
    const length = Math.min(step.length, UNITS - step.at)
    space.removeRange({ address: step.at * UNIT, length: length * UNIT })
    next.fill(null, step.at, step.at + length)
    return next.every((unit, i) => unit === model[i]) ? model : next
  }
  const regions = step.regions.map(({ at, length, view, shift }) => ({
    ...{ address: at * UNIT, length: Math.min(length, UNITS - at - shift) * UNIT, view: views[view]! },
    viewOffset: (at + shift) * UNIT,
  }))
  let refused = regions.some(({ length }) => length <= 0)
  for (const [i, { address, length }] of regions.entries())
    for (let unit = address / UNIT; unit < (address + length) / UNIT; unit++) {
      if (next[unit] !== null) refused = true
      next[unit] = [step.regions[i]!.view, unit + step.regions[i]!.shift]
    }
  const before = space.regions
  try {
    space.addRegions(regions)
    expect(refused).toBe(false)
    return next
  } catch (error) {
    if (!isVringError(error)) throw error
    expect([refused, space.regions === before]).toEqual([true, true])
    return model
  }
}

/** From the first to the last unit of a range that is mapped. */
function bounds(model: Model, at: number, length: number): [number, number] {
  const mapped = [...model.keys()].filter((unit) => unit >= at && unit < at + length && model[unit] !== null)
  return [mapped[0]!, mapped.at(-1)! + 1]
}

function compare(space: MappedSpace, model: Model): void {
  for (const [unit, where] of model.entries()) {
    const at = space.resolve(unit * UNIT, UNIT, ACCESS_READ)
    expect(at).toBe(where === null ? EFAULT : where[1] * UNIT)
    if (where !== null) expect(space.view).toBe(views[where[0]])
  }
  const whole = new MappedSpace(space.regions)
  expect(whole.regions).toEqual(space.regions)
}
