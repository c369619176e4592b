import { isVringError } from '@vring/layout'
import { describe, expect, it } from 'vitest'
import { MmuNotifierList } from '../mmu-notifier-list.ts'
import type { MmuNotifierRange } from '../mmu-notifier-range.ts'
import { createSync, SYNC_NAMES } from './create-sync.ts'
import { MappingSlot, overlaps, type SlotMapping } from './mapping-slot.ts'
import type { MappingSync } from './mapping-sync.ts'
import { PlainSyncPort } from './plain-sync-port.ts'

/** A mapping that remembers what was done to it. */
class Recorded implements SlotMapping {
  readonly log: string[] = []

  markDirty(): void {
    this.log.push('dirty')
  }

  release(): void {
    this.log.push('release')
  }
}

interface Fixture {
  readonly list: MmuNotifierList
  readonly sync: MappingSync<Recorded>
  readonly read: MappingSlot<Recorded>
  readonly written: MappingSlot<Recorded>
}

function fixture(name: string, list: MmuNotifierList = new MmuNotifierList()): Fixture {
  const read = new MappingSlot<Recorded>('read', false)
  const written = new MappingSlot<Recorded>('written', true)
  const sync = createSync(name, new PlainSyncPort({ lock: () => {}, unlock: () => {} }), [read, written])
  return { list, sync, read, written }
}

const range = (start: number, end: number, blockable = true): MmuNotifierRange => ({
  start,
  end,
  event: 'unmap',
  blockable,
})

describe.each(SYNC_NAMES)('strategy %s', (name) => {
  const armed = (): Fixture & { readonly maps: readonly [Recorded, Recorded] } => {
    const made = fixture(name)
    const { list, sync, read, written } = made
    expect(sync.attach(list)).toBe(true)
    expect(sync.install(read, () => new Recorded())).toBe('unmapped')
    sync.arm([
      { start: 0x1000, end: 0x2000 },
      { start: 0x3000, end: 0x4000 },
    ])
    const maps = [new Recorded(), new Recorded()] as const
    expect(sync.install(read, () => maps[0])).toBeNull()
    expect(sync.install(written, () => maps[1])).toBeNull()
    return { ...made, maps }
  }

  it('an invalidation takes away what it overlaps, marks what is written, and nothing else', () => {
    const { list, sync, read, written, maps } = armed()
    const beside = range(0x2000, 0x3000)
    expect(list.invalidateRangeStart(beside)).toBe(0)
    expect(maps.map(({ log }) => log)).toEqual([[], []])
    const hit = range(0x3fff, 0x5000)
    expect(list.invalidateRangeStart(hit)).toBe(0)
    expect(maps.map(({ log }) => log)).toEqual([[], ['dirty', 'release']])
    expect(sync.enter(read)).toBe(maps[0])
    sync.leave()
    expect(sync.enter(written)).toBeNull()
    sync.leave()
    expect(list.faults).toEqual([])
  })

  it('a slot is mapped again only when the last of its invalidations has ended', () => {
    const { list, sync, written } = armed()
    const [one, two] = [range(0x3000, 0x3001), range(0x0000, 0x9000)]
    list.invalidateRangeStart(one)
    list.invalidateRangeStart(two)
    list.invalidateRangeEnd(one)
    const never = (): Recorded => {
      throw new Error('mapped while an invalidation is open')
    }
    expect(sync.install(written, never)).toBe('notifier-busy')
    list.invalidateRangeEnd(two)
    expect(sync.install(written, () => new Recorded())).toBeNull()
  })

  it('M3: a range that the ring moves to while it is being invalidated is not mapped', () => {
    const { list, sync, read, written, maps } = armed()
    const open = range(0x8000, 0x9000)
    list.invalidateRangeStart(open)
    sync.arm([null, { start: 0x8000, end: 0x8100 }])
    expect(maps.map(({ log }) => log)).toEqual([['release'], ['dirty', 'release']])
    expect(sync.install(read, () => new Recorded())).toBe('unmapped')
    expect(sync.install(written, () => new Recorded())).toBe('notifier-busy')
    list.invalidateRangeEnd(open)
    expect(sync.install(written, () => new Recorded())).toBeNull()
  })

  it('passes the reason of a mapping that failed, and tries again', () => {
    const { list, sync, written } = armed()
    const hit = range(0x3000, 0x4000)
    list.invalidateRangeStart(hit)
    list.invalidateRangeEnd(hit)
    expect(sync.install(written, () => 'page-absent' as const)).toBe('page-absent')
    expect(sync.install(written, () => new Recorded())).toBeNull()
  })

  it('closing gives mappings and registrations back, once', () => {
    const { list, sync, maps } = armed()
    sync.close()
    sync.close()
    expect(maps.map(({ log }) => log)).toEqual([['release'], ['dirty', 'release']])
    expect([list.size, list.intervals.size]).toEqual([0, 0])
  })
})

describe('strategies', () => {
  it('M1: a refused registration is said, and there is nothing to give back', () => {
    for (const name of SYNC_NAMES.filter((one) => one !== 'interval')) {
      const { list, sync } = fixture(name, new MmuNotifierList({ admit: () => -12 }))
      expect(sync.attach(list)).toBe(false)
      sync.close()
    }
  })

  it('interval needs an address space that has interval notifiers', () => {
    expect(fixture('interval').sync.attach({ register: () => () => {} })).toBe(false)
  })

  it('an address space that goes away takes its mappings with it', () => {
    const { list, sync, read } = fixture('spinlock')
    sync.attach(list)
    sync.arm([{ start: 0, end: 8 }, null])
    const map = new Recorded()
    sync.install(read, () => map)
    list.release()
    expect(map.log).toEqual(['release'])
    expect(sync.install(read, () => new Recorded())).toBe('unmapped')
  })

  it('an unknown name is refused with those that are known', () => {
    let message = ''
    try {
      fixture('srcu')
    } catch (error) {
      if (isVringError(error)) message = `${error.code} ${error.message}`
    }
    expect(message).toBe('ERR_UNKNOWN_NAME sync is srcu; accepted: mutex, rcu, counter, seqcount, spinlock, interval')
  })

  it('M23: adjacent ranges do not overlap, on either side', () => {
    expect(overlaps({ start: 1, end: 2 }, { start: 2, end: 3 })).toBe(false)
    expect(overlaps({ start: 2, end: 3 }, { start: 1, end: 2 })).toBe(false)
    expect(overlaps({ start: 1, end: 3 }, { start: 2, end: 4 })).toBe(true)
    expect(overlaps({ start: 2 ** 40, end: 2 ** 40 + 2 }, { start: 2 ** 40 + 1, end: 2 ** 41 })).toBe(true)
  })
})
