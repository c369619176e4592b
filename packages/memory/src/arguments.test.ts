import { isVringError } from '@vring/layout'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DirtyBitmap, GuestMap, MappedSpace, PAGE_BYTES, PageCache, PagedSpace, PhysicalMemory } from './index.ts'

/** What a caller without types may hand over, where a number, an object or a list is meant. */
const JUNK = [
  ...[undefined, null, true, 'text', '4096', 4096n, Symbol('s'), () => 0],
  ...[Number.NaN, Number.POSITIVE_INFINITY, -1, 0.5, 1, 100, 2 ** 31, 2 ** 46, 2 ** 47, 2 ** 53, 2 ** 64],
  ...[{}, [], [null], [{}], new Uint8Array(3), new Uint16Array(2), { length: -1 }, { length: 2 ** 46, kind: 'file' }],
  ...[{ read: 1, write: true }, { read: true }, { address: 0, length: PAGE_BYTES }],
] as const

/** A space with one mapping of two pages, and calls of it by name, each with arguments that it accepts. */
function madeCalls(): { space: PagedSpace; calls: Record<string, { call: unknown; arguments: unknown[] }> } {
  const space = new PagedSpace({ frames: 64 })
  const at = space.mmap({ length: 2 * PAGE_BYTES, populate: true })
  const mapped = new MappedSpace()
  const guest = new GuestMap(space, [])
  const shown = new GuestMap(space, [{ guestAddress: 0, length: PAGE_BYTES, userAddress: at }])
  const view = space.view
  const method = (target: object, name: string, ...rest: unknown[]) => {
    const call = (...given: unknown[]): unknown =>
      (target as Record<string, (...a: unknown[]) => unknown>)[name]!(...given)
    return { call, arguments: rest }
  }
  const range = [at, PAGE_BYTES]
  const request = { address: at, length: PAGE_BYTES, write: true, mapping: 'vmap' }
  const region = { address: 0x1000, length: PAGE_BYTES, view, viewOffset: 0 }
  const make = (call: (...given: never[]) => unknown, ...rest: unknown[]) => ({ call, arguments: rest })
  const calls = {
    mmap: method(space, 'mmap', { length: PAGE_BYTES }),
    munmap: method(space, 'munmap', ...range),
    mprotect: method(space, 'mprotect', ...range, { read: true, write: false }),
    mremap: method(space, 'mremap', ...range, PAGE_BYTES, at + 16 * PAGE_BYTES),
    dontNeed: method(space, 'dontNeed', ...range),
    migrate: method(space, 'migrate', ...range),
    reclaim: method(space, 'reclaim', ...range),
    merge: method(space, 'merge', at, space, at + PAGE_BYTES),
    unmerge: method(space, 'unmerge', ...range),
    collapse: method(space, 'collapse', 2 ** 21),
    split: method(space, 'split', at),
    hintNuma: method(space, 'hintNuma', ...range),
    populate: method(space, 'populate', ...range),
    read: method(space, 'read', at, 4),
    write: method(space, 'write', at, Uint8Array.of(1)),
    getUserPagesFast: method(space, 'getUserPagesFast', ...range, true),
    mapKernel: method(space, 'mapKernel', request),
    'new PagedSpace': make((options) => new PagedSpace(options), { frames: 4 }),
    'new PhysicalMemory': make((options) => new PhysicalMemory(options), { frames: 4 }),
    'new PageCache': make((kind, bytes) => new PageCache(space.physical, kind, bytes), 'file', PAGE_BYTES),
    'MappedSpace.replaceRegions': method(mapped, 'replaceRegions', [region]),
    'MappedSpace.addRegions': method(mapped, 'addRegions', [region]),
    'MappedSpace.removeRange': method(mapped, 'removeRange', { address: 0x1000, length: PAGE_BYTES }),
    'MappedSpace.mapKernel': method(mapped, 'mapKernel', request),
    'new MappedSpace': make((regions, limit) => new MappedSpace(regions, limit), [region], 2 ** 40),
    'GuestMap.replaceRegions': method(guest, 'replaceRegions', [{ guestAddress: 0, length: 1, userAddress: at }]),
    'GuestMap.addRegion': method(guest, 'addRegion', { guestAddress: 0, length: 1, userAddress: at }),
    'GuestMap.removeRegion': method(shown, 'removeRegion', 0),
    'GuestMap.guestRanges': method(guest, 'guestRanges', ...range),
    'new DirtyBitmap': make((bytes) => new DirtyBitmap(bytes), new Uint8Array(1)),
    'DirtyBitmap.forGuest': make((bytes) => DirtyBitmap.forGuest(bytes), PAGE_BYTES),
  }
  return { space, calls }
}

const names = Object.keys(madeCalls().calls)

describe('arguments of the control plane', () => {
  it.each(names)('%s accepts what it is documented to', (name) => {
    const { calls } = madeCalls()
    const { call, arguments: good } = calls[name]!
    expect(() => (call as (...given: unknown[]) => unknown)(...good)).not.toThrow()
  })

  it.each(names)('%s takes or refuses whatever it is given, with the field and what is accepted', (name) => {
    const { calls: shape } = madeCalls()
    const places = shape[name]!.arguments.length
    fc.assert(
      fc.property(
        fc.nat(places - 1),
        fc.constantFrom(...JUNK),
        fc.constantFrom(undefined, ...JUNK),
        (place, junk, inner) => {
          const { space, calls } = madeCalls()
          const { call, arguments: good } = calls[name]!
          const given = [...good]
          given[place] = junk
          // One wrong field in an object that is right otherwise.
          const target = good[place]
          if (inner !== undefined && typeof target === 'object' && target !== null && target.constructor === Object) {
            const fields = Object.keys(target)
            given[place] = { ...target, [fields[Math.abs(String(junk).length) % fields.length]!]: inner }
          }
          const before = space.vmas
          try {
            ;(call as (...given: unknown[]) => unknown)(...given)
          } catch (error) {
            expect(error, String((error as Error).stack)).toSatisfy(isVringError)
            expect(error).toMatchObject({ field: expect.any(String), accepted: expect.any(String) })
            // A refusal changes nothing.
            expect(space.vmas).toEqual(before)
          }
        },
      ),
      { numRuns: 100 },
    )
  })

  it('names the field: mprotect without a protection', () => {
    const space = new PagedSpace({ frames: 4 })
    const at = space.mmap({ length: PAGE_BYTES })
    const protect = (protection: unknown) => () => space.mprotect(at, PAGE_BYTES, protection as never)
    expect(protect(undefined)).toThrow('protection is undefined; accepted: { read, write }')
    expect(protect({ read: true })).toThrow('protection.write is undefined; accepted: true or false')
    expect(space.vmas[0]).toMatchObject({ read: true, write: true })
  })
})
