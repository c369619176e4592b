import type { Area } from '@vring/layout'
import { createWorld, type World, type WorldOptions } from '@vring/testkit'
import fc from 'fast-check'
import { about, accessOf, areaOf } from '../about.ts'
import { type ConformanceCase, checkEqual, type Subject } from '../conformance-case.ts'

/** How many random runs the model-based case makes, and from which seed. */
export const MODEL_RUNS = 60
/** The day of the mail. Fixed: a plugin passes or fails, it does not do so now and then. */
export const MODEL_SEED = 20190124

/** One step of a random run. Numbers are reduced to what fits where they are used. */
type Command =
  | { readonly op: 'load16' | 'load16Acquire' | 'load32'; readonly area: Area; readonly at: number }
  | { readonly op: 'loadWords'; readonly at: number }
  | { readonly op: 'store16' | 'store16Release' | 'store32'; readonly at: number; readonly value: number }
  | { readonly op: 'storeWords'; readonly at: number; readonly count: number; readonly value: number }
  | { readonly op: 'driverStore'; readonly area: Area; readonly at: number; readonly value: number }
  | { readonly op: 'migrate' | 'swapOut' | 'invalidate'; readonly area: Area }
  | { readonly op: 'fork' | 'endRound' }

const area: fc.Arbitrary<Area> = fc.constantFrom('desc', 'driver', 'device')
const at: fc.Arbitrary<number> = fc.nat(0xffff)
const value: fc.Arbitrary<number> = fc.integer({ min: 0, max: 0xffff_ffff })
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constantFrom('load16', 'load16Acquire', 'load32'), area, at }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('loadWords'), at }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constantFrom('store16', 'store16Release', 'store32'), at, value }) },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant('storeWords'), at, count: fc.integer({ min: 1, max: 64 }), value }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('driverStore'), area, at, value }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom('migrate', 'swapOut', 'invalidate'), area }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constantFrom('fork', 'endRound') }) },
)
const placement: fc.Arbitrary<WorldOptions> = fc.record({
  queueSize: fc.constantFrom(1, 8, 256, 512),
  eventIdx: fc.boolean(),
  frames: fc.constantFrom('contiguous', 'scattered'),
  pageOffset: fc.record({
    desc: fc.constantFrom(0, 16, 0xff0),
    driver: fc.constantFrom(0, 2, 0xffe),
    device: fc.constantFrom(0, 4, 0xffc),
  }),
})

/** Any accessor is three arrays of bytes. */
export const modelCases: readonly ConformanceCase[] = [
  {
    suite: 'model',
    title: 'random accesses, driver stores and invalidations agree with an array of bytes',
    run(subject) {
      fc.assert(
        fc.property(placement, fc.array(command, { maxLength: 60 }), (options, commands) =>
          agreesWithBytes(subject, options, commands),
        ),
        { numRuns: MODEL_RUNS, seed: MODEL_SEED },
      )
    },
  },
]

function agreesWithBytes(subject: Subject, options: WorldOptions, commands: readonly Command[]): void {
  const world = createWorld(subject, options)
  const model: Record<Area, DataView> = {
    desc: new DataView(new ArrayBuffer(world.ring.desc.length)),
    driver: new DataView(new ArrayBuffer(world.ring.driver.length)),
    device: new DataView(new ArrayBuffer(world.ring.device.length)),
  }
  world.accessor.beginRound()
  for (const step of commands) perform(world, model, step)
  world.accessor.endRound()
  for (const name of ['desc', 'driver', 'device'] as const)
    checkEqual(
      [...world.driver.bytes(name)],
      [...new Uint8Array(model[name].buffer)],
      about`${areaOf(name)} in the end`,
    )
  world.accessor.close()
  checkEqual(world.staleMappings(), 0, 'stale mappings')
}

function perform(world: World, model: Record<Area, DataView>, step: Command): void {
  const { accessor } = world
  switch (step.op) {
    case 'load16':
    case 'load16Acquire': {
      const offset = place(world, step.area, step.at, 2, 2)
      checkEqual(
        accessor[step.area][step.op](offset),
        model[step.area].getUint16(offset, true),
        accessOf(step.area, step.op, offset),
      )
      return
    }
    case 'load32': {
      // The avail ring has 16-bit words at 2-byte alignment only.
      const name = step.area === 'driver' ? 'device' : step.area
      const offset = place(world, name, step.at, 4, 4)
      checkEqual(accessor[name].load32(offset), model[name].getUint32(offset, true), accessOf(name, step.op, offset))
      return
    }
    case 'loadWords': {
      const offset = place(world, 'desc', step.at, 16, 16)
      const out = new Uint32Array(4)
      checkEqual(accessor.desc.loadWords(offset, out, 0, 4), 0, accessOf('desc', step.op, offset))
      const expected = [0, 4, 8, 12].map((byte) => model.desc.getUint32(offset + byte, true))
      checkEqual([...out], expected, accessOf('desc', step.op, offset))
      return
    }
    case 'store16':
    case 'store16Release': {
      const offset = place(world, 'device', step.at, 2, 2)
      checkEqual(accessor.device[step.op](offset, step.value & 0xffff), 0, accessOf('device', step.op, offset))
      model.device.setUint16(offset, step.value & 0xffff, true)
      return
    }
    case 'store32': {
      const offset = place(world, 'device', step.at, 4, 4)
      checkEqual(accessor.device.store32(offset, step.value), 0, accessOf('device', step.op, offset))
      model.device.setUint32(offset, step.value, true)
      return
    }
    case 'storeWords': {
      const count = Math.min(step.count, world.ring.queueSize)
      const slot = step.at % (world.ring.queueSize - count + 1)
      const elements = Uint32Array.from({ length: 2 * count + 1 }, (_, word) => step.value + word)
      checkEqual(
        accessor.device.storeWords(4 + 8 * slot, elements, 1, 2 * count),
        0,
        accessOf('device', step.op, 4 + 8 * slot),
      )
      for (let word = 0; word < 2 * count; word++)
        model.device.setUint32(4 + 8 * slot + 4 * word, elements[word + 1]!, true)
      return
    }
    case 'driverStore': {
      const offset = place(world, step.area, step.at, 2, 2)
      world.driver.store16(step.area, offset, step.value & 0xffff)
      model[step.area].setUint16(offset, step.value & 0xffff, true)
      return
    }
    case 'migrate':
      world.migrate(step.area)
      return
    case 'swapOut':
      world.swapOut(step.area)
      return
    case 'invalidate':
      world.openInvalidation(step.area)()
      return
    case 'fork':
      world.fork()
      return
    case 'endRound':
      accessor.endRound()
      checkEqual(accessor.beginRound(), 'ready', 'beginRound')
  }
}

/** An aligned offset at which `length` bytes fit into the area. */
function place(world: World, name: Area, seed: number, length: number, align: number): number {
  const places = Math.floor((world.ring[name].length - length) / align) + 1
  return align * (seed % places)
}
