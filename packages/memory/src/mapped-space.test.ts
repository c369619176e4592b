import { EAGAIN, EFAULT, EXDEV } from '@vring/layout'
import { describe, expect, it } from 'vitest'
import { codeOf } from '../test/code-of.ts'
import { ACCESS_READ, ACCESS_WRITE } from './address-map.ts'
import { LazyView } from './lazy-view.ts'
import { MappedSpace } from './mapped-space.ts'
import { memoryView } from './memory-view.ts'

const PAGE = 4096
const BASE = 0x7f12_3456_7000

function setup() {
  const first = memoryView(new ArrayBuffer(4 * PAGE))
  const second = memoryView(new ArrayBuffer(4 * PAGE))
  const regions = [
    // Neighbours in two views, as a region above 4 GiB comes; then a hole; then another one.
    { address: BASE, length: 2 * PAGE, view: first, viewOffset: PAGE },
    { address: BASE + 2 * PAGE, length: PAGE, view: second, viewOffset: 0 },
    { address: BASE + 8 * PAGE, length: 2 * PAGE, view: second, viewOffset: 2 * PAGE },
  ]
  return { first, second, regions, space: new MappedSpace(regions) }
}

describe('MappedSpace', () => {
  it('gives view and offset of a range inside one region', () => {
    const { first, second, space } = setup()
    for (const [address, offset, view] of [
      [BASE, PAGE, first],
      [BASE + 2 * PAGE - 4, 3 * PAGE - 4, first],
      [BASE + 8 * PAGE + 4, 2 * PAGE + 4, second],
      [BASE + 2 * PAGE, 0, second],
      [BASE + 4, PAGE + 4, first],
    ] as const) {
      expect(space.resolve(address, 4, ACCESS_WRITE)).toBe(offset)
      expect(space.view).toBe(view)
    }
  })

  it('a range across two views is -EXDEV and goes by spans, each in its view', () => {
    const { first, second, space } = setup()
    expect(space.resolve(BASE + 2 * PAGE - 8, 16, ACCESS_READ)).toBe(EXDEV)
    expect(space.resolveSpan(BASE + 2 * PAGE - 8, 16, ACCESS_READ)).toBe(3 * PAGE - 8)
    expect([space.span, space.view]).toEqual([8, first])
    expect(space.resolveSpan(BASE + 2 * PAGE, 8, ACCESS_READ)).toBe(0)
    expect([space.span, space.view]).toEqual([8, second])
  })

  it('holes, and what is no address, are -EFAULT', () => {
    const { space } = setup()
    for (const [address, length] of [
      [BASE - 1, 1],
      [BASE + 3 * PAGE - 1, 2],
      [BASE + 3 * PAGE, 1],
      [BASE + 10 * PAGE, 1],
      [2 ** 53, 1],
      [-1, 1],
      [Number.NaN, 1],
      [Number.POSITIVE_INFINITY, 1],
      [BASE, Number.NaN],
      [BASE, -1],
    ] as const) {
      expect(space.resolve(address, length, ACCESS_READ), `${address}+${length}`).toBe(EFAULT)
      if (!(length > 1)) expect(space.resolveSpan(address, length, ACCESS_READ)).toBe(EFAULT)
    }
    expect(new MappedSpace().resolve(BASE, 1, ACCESS_READ)).toBe(EFAULT)
  })

  it('neighbours that go on in the same view are one region', () => {
    const view = memoryView(new ArrayBuffer(4 * PAGE))
    const space = new MappedSpace([
      { address: BASE + PAGE, length: PAGE, view, viewOffset: PAGE },
      { address: BASE, length: PAGE, view, viewOffset: 0 },
    ])
    expect(space.resolve(BASE + PAGE - 8, 16, ACCESS_READ)).toBe(PAGE - 8)
    expect(space.regions).toHaveLength(1)
  })

  it('maps for the kernel what is contiguous in one view', () => {
    const { first, space } = setup()
    const request = { address: BASE + 16, length: PAGE, write: true, mapping: 'vmap' } as const
    const mapping = space.mapKernel(request)
    if (typeof mapping === 'string') throw new Error(mapping)
    expect([mapping.base, mapping.offsetOf(8), mapping.view]).toEqual([PAGE + 16, PAGE + 24, first])
    mapping.markDirty()
    mapping.release()
    expect(space.mapKernel({ ...request, length: 2 * PAGE })).toBe('not-contiguous')
    expect(space.mapKernel({ ...request, address: BASE + 4 * PAGE })).toBe('unmapped')
  })

  it('a replacement tells listeners of what changes, before and after, and of nothing else', () => {
    const { first, regions, space } = setup()
    const log: string[] = []
    space.notifiers.register({
      name: 'test',
      invalidateRangeStart(range) {
        log.push(
          `start ${(range.start - BASE) / PAGE}..${(range.end - BASE) / PAGE} ${space.resolve(BASE, 1, ACCESS_READ)}`,
        )
        return 0
      },
      invalidateRangeEnd(range) {
        log.push(
          `end ${(range.start - BASE) / PAGE}..${(range.end - BASE) / PAGE} ${space.resolve(BASE, 1, ACCESS_READ)}`,
        )
      },
    })
    space.replaceRegions([...regions.slice(1), { address: BASE, length: PAGE, view: first, viewOffset: 0 }])
    expect(log).toEqual([`start 0..2 ${PAGE}`, 'end 0..2 0'])
    expect(space.resolve(BASE + PAGE, 1, ACCESS_READ)).toBe(EFAULT)
  })

  it('refuses overlapping, empty, wrapping and misaligned regions, and keeps what it had', () => {
    const { first, regions, space } = setup()
    const [region] = regions
    const before = space.regions
    const attempt = (bad: Partial<typeof region>): string =>
      codeOf(() => space.replaceRegions([...regions.slice(1), { ...region, ...bad }]))
    expect(attempt({ length: 2 * PAGE + 4 })).toBe('ERR_OVERLAP')
    expect(attempt({ length: 0 })).toBe('ERR_OUT_OF_RANGE')
    expect(attempt({ length: 2 ** 60 })).toBe('ERR_OUT_OF_RANGE')
    expect(attempt({ address: -PAGE })).toBe('ERR_OUT_OF_RANGE')
    expect(attempt({ address: 2 ** 47 })).toBe('ERR_OUT_OF_RANGE')
    expect(attempt({ address: 2 ** 47 - 2 * PAGE })).toBe('ERR_OUT_OF_RANGE')
    expect(attempt({ viewOffset: 3 * PAGE })).toBe('ERR_OUT_OF_RANGE')
    expect(attempt({ viewOffset: PAGE + 2 })).toBe('ERR_MISALIGNED')
    expect(space.regions).toBe(before)
    expect(space.resolve(BASE, 1, ACCESS_READ)).toBe(PAGE)
    expect(space.view).toBe(first)
  })

  it('a listener that fails is named, and the replacement is done', () => {
    const { space } = setup()
    space.notifiers.register({
      name: 'culprit',
      invalidateRangeStart: () => {
        throw new TypeError('boom')
      },
      invalidateRangeEnd() {},
    })
    expect(() => space.replaceRegions([])).toThrow(/culprit/)
    expect(space.resolve(BASE, 1, ACCESS_READ)).toBe(EFAULT)
  })
})

describe('views that are made when they are needed', () => {
  function lazy() {
    const made: number[] = []
    const regions = [0, 1, 2].map((index) => ({
      address: BASE + index * PAGE,
      length: PAGE,
      view: new LazyView(PAGE, () => {
        made.push(index)
        return memoryView(new ArrayBuffer(PAGE))
      }),
      viewOffset: 0,
    }))
    return { made, space: new MappedSpace(regions) }
  }

  it('the first address that leads into one makes it, once; asking for cover makes none', () => {
    const { made, space } = lazy()
    expect(space.covers(BASE, 3 * PAGE)).toBe(true)
    expect([space.covers(BASE + 1, 3 * PAGE), space.covers(BASE - 1, 2), space.covers(BASE, 0)]).toEqual([
      false,
      false,
      false,
    ])
    expect(made).toEqual([])
    for (const at of [PAGE, PAGE + 8, PAGE]) expect(space.resolve(BASE + at, 8, ACCESS_READ)).toBe(at - PAGE)
    expect(made).toEqual([1])
    expect(space.resolve(BASE + PAGE - 4, 8, ACCESS_READ)).toBe(EXDEV)
  })

  it('a round makes as many as it may; another range is -EAGAIN, and goes on in the next round', () => {
    const { made, space } = lazy()
    space.viewsLeft = 1
    expect([space.resolve(BASE, 8, ACCESS_READ), space.deferred]).toEqual([0, false])
    expect([space.resolve(BASE + PAGE, 8, ACCESS_READ), space.deferred]).toEqual([EAGAIN, true])
    expect(space.resolveSpan(BASE + PAGE, 8, ACCESS_READ)).toBe(EAGAIN)
    expect(space.mapKernel({ address: BASE + PAGE, length: 8, write: true, mapping: 'vmap' })).toBe('page-absent')
    expect([space.resolve(BASE, 8, ACCESS_READ), space.resolve(BASE + 9 * PAGE, 8, ACCESS_READ)]).toEqual([0, EFAULT])
    space.viewsLeft = 1
    expect(space.resolve(BASE + PAGE, 8, ACCESS_READ)).toBe(0)
    expect(made).toEqual([0, 1])
  })

  it('a replacement keeps the views of the regions that stay', () => {
    const { made, space } = lazy()
    space.resolve(BASE, 8, ACCESS_READ)
    space.replaceRegions(space.regions.slice(0, 2))
    expect([space.resolve(BASE, 8, ACCESS_READ), made]).toEqual([0, [0]])
  })
})

describe('the size of a view', () => {
  it('a view above 2 GiB is refused: offsets into it would not be small integers', () => {
    const view = { ...memoryView(new ArrayBuffer(0)), buffer: { byteLength: 0x8000_0004 } as ArrayBuffer }
    expect(() => new MappedSpace([{ address: 0x1000, length: 4096, view, viewOffset: 0 }])).toThrow(
      'at most 2147483648',
    )
  })
})
