import * as parts from '@vring/accessor'
import {
  AccessCounters,
  type Accessor,
  type AccessorContext,
  type AccessorPlugin,
  CopyAccessor,
  CopyWindow,
  defineAccessor,
  UncheckedUser2019,
  type Window,
} from '@vring/accessor'
import { vmapDirect } from '@vring/accessor-vmap-direct'
import { AREAS, isVringError, type RingArea } from '@vring/layout'
import type { KernelMapping, UserSpace } from '@vring/memory'
import { describe, expect, it } from 'vitest'
import { explorePlugin, type PluginExploration } from './explore-plugin.ts'

/** How a plugin keeps its mappings from being used after the notifier has returned. */
type Flaw = 'no-wait' | 'keeps'

/** An area through a mapping in a plain field, as the author of a plugin would write it first. */
class DirectWindow implements Window {
  map: KernelMapping | null = null
  readonly context: AccessorContext
  readonly area: RingArea
  readonly copy: CopyWindow

  constructor(context: AccessorContext, area: RingArea) {
    this.context = context
    this.area = area
    this.copy = new CopyWindow(new UncheckedUser2019(context.cpu, context.space), area)
  }

  remap(space: UserSpace): void {
    if (this.map !== null) return
    const { address, length } = this.area
    const map = space.mapKernel({ address, length, write: this.area.access !== 'read', mapping: 'vmap' })
    if (typeof map !== 'string') this.map = map
  }

  drop(): void {
    const { map } = this
    if (map === null) return
    this.map = null
    if (this.area.access !== 'read') map.markDirty()
    map.release()
  }

  load16(offset: number): number {
    return (
      this.#direct((map) => this.context.cpu.load16(map.view.u16, (map.base + offset) >>> 1)) ??
      this.copy.load16(offset)
    )
  }

  load16Acquire(offset: number): number {
    const found = this.#direct((map) => this.context.cpu.load16Acquire(map.view.u16, (map.base + offset) >>> 1))
    return found ?? this.copy.load16Acquire(offset)
  }

  load32(offset: number): number {
    return (
      this.#direct((map) => this.context.cpu.load32(map.view.u32, (map.base + offset) >>> 2)) ??
      this.copy.load32(offset)
    )
  }

  loadWords(offset: number, out: Uint32Array, index: number, count: number): number {
    const done = this.#direct((map) => {
      this.context.cpu.loadWords(map.view.u32, (map.base + offset) >>> 2, out, index, count)
      return 0
    })
    return done ?? this.copy.loadWords(offset, out, index, count)
  }

  store16(offset: number, value: number): number {
    const done = this.#direct((map) => {
      this.context.cpu.store16(map.view.u16, (map.base + offset) >>> 1, value)
      return 0
    })
    return done ?? this.copy.store16(offset, value)
  }

  store16Release(offset: number, value: number): number {
    const done = this.#direct((map) => {
      this.context.cpu.store16Release(map.view.u16, (map.base + offset) >>> 1, value)
      return 0
    })
    return done ?? this.copy.store16Release(offset, value)
  }

  store32(offset: number, value: number): number {
    const done = this.#direct((map) => {
      this.context.cpu.store32(map.view.u32, (map.base + offset) >>> 2, value)
      return 0
    })
    return done ?? this.copy.store32(offset, value)
  }

  storeWords(offset: number, words: Uint32Array, index: number, count: number): number {
    const done = this.#direct((map) => {
      this.context.cpu.storeWords(map.view.u32, (map.base + offset) >>> 2, words, index, count)
      return 0
    })
    return done ?? this.copy.storeWords(offset, words, index, count)
  }

  #direct(access: (map: KernelMapping) => number): number | null {
    const { map } = this
    return map === null ? null : access(map)
  }
}

/** A direct mapping whose notifier waits for no access that uses it. */
class PlainDirect implements Accessor {
  readonly name = 'plain-direct'
  readonly desc: DirectWindow
  readonly driver: DirectWindow
  readonly device: DirectWindow
  readonly lease = null
  readonly counters = new AccessCounters()
  open = 0
  readonly unregister: (() => void) | null

  constructor(context: AccessorContext, flaw: Flaw) {
    const { space, ring } = context
    this.desc = new DirectWindow(context, ring.desc)
    this.driver = new DirectWindow(context, ring.driver)
    this.device = new DirectWindow(context, ring.device)
    const registered = space.notifiers.register({
      name: this.name,
      invalidateRangeStart: ({ start, end }) => {
        this.open++
        for (const area of AREAS) if (flaw !== 'keeps' && overlaps(ring[area], start, end)) this[area].drop()
        return 0
      },
      invalidateRangeEnd: () => {
        this.open--
      },
    })
    this.unregister = typeof registered === 'function' ? registered : null
    this.beginRound = () => {
      if (this.open === 0) for (const area of AREAS) this[area].remap(space)
      return 'ready'
    }
  }

  beginRound: () => 'ready'

  endRound(): void {}

  close(): void {
    this.unregister?.()
    for (const area of AREAS) this[area].drop()
  }
}

function overlaps({ address, length }: RingArea, start: number, end: number): boolean {
  return start < address + length && address < end
}

function plugin(create: (context: AccessorContext) => Accessor): AccessorPlugin {
  return defineAccessor({
    ...vmapDirect,
    name: 'plain-direct',
    options: [],
    create,
  })
}

const kinds = (explored: readonly PluginExploration[]): (string | null)[] => [
  ...new Set(explored.map(({ finding }) => finding?.kind ?? null)),
]

describe('a plugin under the explorer', () => {
  it('that ships has no finding, and is exhausted', () => {
    const explored = explorePlugin(vmapDirect, { parts, preemptions: 1 })
    expect(
      explored.filter(({ finding }) => finding !== null).map(({ scenario, finding }) => [scenario, finding]),
    ).toEqual([])
    expect(explored.every(({ exhausted }) => exhausted)).toBe(true)
    expect(explored.some(({ accesses }) => accesses.mapped > 0)).toBe(true)
  })

  it('that copies has none either', () => {
    const copying = plugin(
      (context) => new CopyAccessor('plain-direct', context, new UncheckedUser2019(context.cpu, context.space)),
    )
    expect(kinds(explorePlugin(copying, { parts, preemptions: 1 }))).toEqual([null])
  })

  it('whose notifier returns while an access uses the mapping is found, though its state is in plain fields', () => {
    const explored = explorePlugin(
      plugin((context) => new PlainDirect(context, 'no-wait')),
      { parts, preemptions: 1 },
    )
    const stale = explored.filter(({ finding }) => finding?.kind === 'stale-mapping')
    expect(stale.map(({ scenario }) => scenario)).toContain('batch-during-invalidation')
    expect(stale.map(({ scenario }) => scenario)).toContain('packed-batch-during-invalidation')
    expect(stale[0]!.finding!.schedule.map(({ label }) => label).join(' ')).toContain('device.map')
  })

  it('that keeps its mappings is found', () => {
    const explored = explorePlugin(
      plugin((context) => new PlainDirect(context, 'keeps')),
      { parts, preemptions: 0 },
    )
    expect(kinds(explored)).toContain('stale-mapping')
  })

  it('that keeps what decides in a closure shows nothing, and that is said', () => {
    const forgetful = plugin((context) => {
      const accessor = new CopyAccessor('plain-direct', context, new UncheckedUser2019(context.cpu, context.space))
      let rounds = 0
      return Object.assign(accessor, {
        beginRound: () => {
          if (rounds++ % 3 === 0) accessor.driver.load16(0)
          return 'ready' as const
        },
      })
    })
    const explored = explorePlugin(forgetful, { parts, preemptions: 0 })
    expect(kinds(explored)).toContain('hidden-state')
    const hidden = explored.find(({ finding }) => finding?.kind === 'hidden-state')!
    expect(hidden.finding!.message).toContain('keep it in ordinary fields, or in cells of the port')
  })

  it('may have -1 for "none" in a field that threads share; a count that goes below zero is found', () => {
    const withField = (mapped: number, change: (field: number) => number) =>
      plugin((context) => {
        const accessor = new CopyAccessor('plain-direct', context, new UncheckedUser2019(context.cpu, context.space))
        const fields = { place: mapped }
        const beginRound = (): 'ready' => {
          fields.place = change(fields.place)
          return 'ready'
        }
        context.space.notifiers.register({
          name: 'plain-direct',
          invalidateRangeStart: () => {
            fields.place = change(fields.place)
            return 0
          },
          invalidateRangeEnd: () => {},
        })
        return Object.assign(accessor, { fields, beginRound })
      })
    const none = explorePlugin(
      withField(4096, () => -1),
      { parts, preemptions: 0 },
    )
    expect(kinds(none)).not.toContain('negative-count')
    const counted = explorePlugin(
      withField(0, (count) => count - 1),
      { parts, preemptions: 0 },
    )
    expect(kinds(counted)).toContain('negative-count')
  })

  it('that has more state than is followed shows nothing, and that is said', () => {
    const wide = plugin((context) => {
      const accessor = new CopyAccessor('plain-direct', context, new UncheckedUser2019(context.cpu, context.space))
      const fields: Record<string, number> = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`field${i}`, 0]))
      const beginRound = (): 'ready' => {
        for (const name of Object.keys(fields)) fields[name]!++
        return 'ready'
      }
      return Object.assign(accessor, { fields, beginRound })
    })
    const explored = explorePlugin(wide, { parts, preemptions: 0 })
    expect(kinds(explored)).toEqual(['hidden-state'])
    expect(explored[0]!.finding!.message).toContain('more than 200 fields')
    expect(explored.some(({ exhausted }) => exhausted)).toBe(false)
  })

  it('that only works with a device IOTLB is refused', () => {
    const translating = { ...vmapDirect, supports: { ...vmapDirect.supports, noIotlb: false, iotlb: true } }
    let code = ''
    try {
      explorePlugin(translating, { parts })
    } catch (error) {
      code = isVringError(error) ? error.code : String(error)
    }
    expect(code).toBe('ERR_UNSUPPORTED')
  })
})
