import type { Window } from '@vring/accessor'
import { AREAS, type Area } from '@vring/layout'
import type { World } from '@vring/testkit'
import { accessOf } from '../about.ts'
import { checkEqual } from '../conformance-case.ts'

/** One method of `Window`, ready to be called anywhere. */
export interface AccessKind {
  readonly name: keyof Window
  /** Bytes; of `loadWords` with four words, of `storeWords` with two. */
  readonly length: number
  readonly store: boolean
  /** Areas that a ring makes this access in. */
  readonly areas: readonly Area[]
  /** Makes the access; what it returned. */
  run(window: Window, offset: number): number
}

const words = Uint32Array.of(0x1111_1111, 0x2222_2222, 0x3333_3333, 0x4444_4444)

/** Every access a window has: loads in all areas that rings load from, stores in the device area. */
export const ACCESSES: readonly AccessKind[] = [
  load('load16', 2, ['desc', 'driver', 'device'], (window, offset) => window.load16(offset)),
  load('load16Acquire', 2, ['desc', 'driver', 'device'], (window, offset) => window.load16Acquire(offset)),
  load('load32', 4, ['desc', 'device'], (window, offset) => window.load32(offset)),
  load('loadWords', 16, ['desc'], (window, offset) => window.loadWords(offset, new Uint32Array(4), 0, 4)),
  store('store16', 2, (window, offset) => window.store16(offset, 0x1111)),
  store('store16Release', 2, (window, offset) => window.store16Release(offset, 0x1111)),
  store('store32', 4, (window, offset) => window.store32(offset, 0x1111_1111)),
  store('storeWords', 8, (window, offset) => window.storeWords(offset, words, 0, 2)),
]

/** Calls `visit` with each access in each of its areas. */
export function forEachAccess(visit: (access: AccessKind, area: Area) => void): void {
  for (const access of ACCESSES) for (const area of access.areas) visit(access, area)
}

/** Every access a window has, in every area. */
export function anyAreaAccesses(): { access: AccessKind; area: Area }[] {
  return ACCESSES.flatMap((access) => AREAS.map((area) => ({ access, area })))
}

/** Checks that the accessor sees what the driver sees, word by word, in one area or in all. */
export function expectAgreement(world: World, areas: readonly Area[] = AREAS): void {
  for (const area of areas) {
    const window = world.accessor[area]
    const driver = new DataView(world.driver.bytes(area).buffer)
    for (let offset = 0; offset + 2 <= driver.byteLength; offset += 2) {
      const expected = driver.getUint16(offset, true)
      const found = window.load16(offset)
      if (found !== expected) checkEqual(found, expected, accessOf(area, 'load16', offset))
    }
  }
}

function load(name: AccessKind['name'], length: number, areas: readonly Area[], run: AccessKind['run']): AccessKind {
  return { name, length, store: false, areas, run }
}

function store(name: AccessKind['name'], length: number, run: AccessKind['run']): AccessKind {
  return { name, length, store: true, areas: ['device'], run }
}
