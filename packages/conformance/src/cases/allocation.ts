import { type Accessor, CountingCpu, type Window } from '@vring/accessor'
import { DeviceIotlb } from '@vring/iotlb'
import { AREAS, type Area, splitRingAreas } from '@vring/layout'
import { ACCESS_READ, ACCESS_WRITE, PAGE_BYTES, PagedSpace } from '@vring/memory'
import { type About, about, accessOf } from '../about.ts'
import { type ConformanceCase, check, checkEqual, type Subject } from '../conformance-case.ts'
import { HeapMeter } from '../heap-meter.ts'

const QUEUE_SIZE = 16
const words = new Uint32Array(4)

/** Each access many times, by a loop of its own that allocates nothing. */
const LOOPS: readonly (readonly [method: keyof Window, areas: readonly Area[], loop: Loop])[] = [
  ['load16', AREAS, (window, runs) => repeat(runs, () => window.load16(0))],
  ['load16Acquire', AREAS, (window, runs) => repeat(runs, () => window.load16Acquire(0))],
  ['load32', ['desc', 'device'], (window, runs) => repeat(runs, () => window.load32(0))],
  ['loadWords', ['desc'], (window, runs) => repeat(runs, () => window.loadWords(0, words, 0, 4))],
  ['store16', ['device'], (window, runs) => repeat(runs, () => window.store16(0, 1))],
  ['store16Release', ['device'], (window, runs) => repeat(runs, () => window.store16Release(0, 1))],
  ['store32', ['device'], (window, runs) => repeat(runs, () => window.store32(0, 1))],
  ['storeWords', ['device'], (window, runs) => repeat(runs, () => window.storeWords(0, words, 0, 2))],
]

type Loop = (window: Window, runs: number) => void

/** One closure for all runs of a reading. */
function repeat(runs: number, run: () => void): void {
  for (let i = 0; i < runs; i++) run()
}

let meter: HeapMeter | null | undefined

/** Made once: it looks whether this engine's heap can be read to the byte. */
function heapMeter(): HeapMeter | null {
  meter ??= HeapMeter.create()
  return meter
}

/** Asked where the engine says what is on its heap: Node, Deno. */
export const allocationCases: readonly ConformanceCase[] = [
  {
    suite: 'data plane',
    title: 'accesses and rounds allocate nothing once they are optimised',
    appliesTo: () => heapMeter() !== null,
    run(subject) {
      const accessor = smallAccessor(subject)
      const expectNone = (what: string | About, action: (runs: number) => void): void => {
        const bytes = heapMeter()!.allocates(action)
        check(bytes === 0, about`${what}: found ${bytes} bytes allocated a time, expected none`)
      }
      checkEqual(accessor.beginRound(), 'ready', 'beginRound')
      for (const [method, areas, loop] of LOOPS)
        for (const area of areas) expectNone(accessOf(area, method, 0), (runs) => loop(accessor[area], runs))
      accessor.endRound()
      expectNone('beginRound and endRound', (runs) => {
        for (let i = 0; i < runs; i++) {
          accessor.beginRound()
          accessor.endRound()
        }
      })
      accessor.close()
    },
  },
]

/** An accessor over a ring at addresses that engines keep as small integers: a double may be an allocation of theirs. */
function smallAccessor({ plugin, bare = plugin, options }: Subject): Accessor {
  const space = new PagedSpace({ frames: 16 })
  const iotlb = bare.supports.noIotlb ? null : new DeviceIotlb()
  const [desc, driver, device] = [1, 2, 3].map((place) => 16 * PAGE_BYTES * place) as [number, number, number]
  const ring = splitRingAreas(QUEUE_SIZE, true, desc, driver, device)
  for (const area of AREAS) {
    const { address, length } = ring[area]
    space.mmap({ address, length: PAGE_BYTES, populate: true })
    iotlb?.update(address, length, address, ACCESS_READ | ACCESS_WRITE)
  }
  return bare.create({ cpu: new CountingCpu(), space, ring, iotlb }, options)
}
