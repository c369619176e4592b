import { resolve } from 'node:path'
import type { Registry } from '@vring/registry'
import { type Arguments, listOf } from '../arguments.ts'
import { usageError } from '../bench-error.ts'
import { checkBackend } from '../cell/backend-choice.ts'
import {
  type AccessorChoice,
  BASELINE,
  type CellSpec,
  DEFAULT_CELL,
  DRIVERS,
  type DriverName,
  makeCell,
  parseAccessorChoice,
  RINGS,
} from '../cell/cell-spec.ts'
import { BASELINE_BACKENDS } from '../in-process/baseline.ts'
import { readInput } from '../input/recorded-input.ts'
import { checkCells } from './check-cells.ts'
import { frameLengthOf } from './frame-lengths.ts'
import { idleKeys } from './idle-keys.ts'
import { readSweep } from './read-sweep.ts'
import type { SweepKey } from './sweep-keys.ts'

/** What the thread of January 2019 measured, where it is not an accessor's default: V4 held the queue's mutex. */
const SEED_OPTIONS: Readonly<Record<string, Record<string, string>>> = {
  'vmap-direct': { mapping: 'vmap', sync: 'mutex' },
}

/**
 * One cell for each combination of what the arguments of `run` list.
 *
 * @throws BenchError with exit code 2 that names the argument and what is accepted
 */
export function planCells(args: Arguments, registry: Registry): CellSpec[] {
  const drivers = listOf(args, 'driver', DRIVERS) ?? [DEFAULT_CELL.driver]
  const rings = listOf(args, 'ring', RINGS) ?? [DEFAULT_CELL.ring]
  const backends = args.list('backend') ?? [DEFAULT_CELL.backend]
  for (const backend of backends) checkBackend(backend, registry.backends)
  const sweep = readSweep(args)
  const inOrder = inOrderOf(args, sweep.keys)
  const input = inputOf(args, drivers)
  const frames = input === null ? framesOf(args, sweep.keys) : [input.meanBytes]
  const choices = accessorChoices(args, registry, { backends, drivers, swept: sweep.keys })
  const specs: CellSpec[] = []
  for (const varied of sweep.steps)
    for (const ring of rings)
      for (const driver of drivers)
        for (const backend of backends)
          for (const frameBytes of frames)
            for (const choice of choices) {
              const plugin = choice.name === BASELINE ? null : registry.accessor(choice.name)
              const conditions = { ring, inOrder, driver, backend, frameBytes, input: input?.path ?? null }
              specs.push(makeCell(choice, plugin, { ...conditions, ...varied }))
            }
  checkCells(specs)
  return specs
}

/** What a choice of accessors depends on. */
interface Conditions {
  readonly backends: readonly string[]
  readonly drivers: readonly DriverName[]
  readonly swept: readonly SweepKey[]
}

/** Those that were asked for, or every one that the conditions make a difference to. */
function accessorChoices(args: Arguments, registry: Registry, conditions: Conditions): readonly AccessorChoice[] {
  const { backends, drivers, swept } = conditions
  const texts = args.list('accessor')
  if (texts !== null) return texts.map((text) => parseAccessorChoice(text, registry, [BASELINE]))
  const served = registry.accessors.filter(({ name, supports }) => {
    const iotlb = !supports.noIotlb
    if (iotlb && drivers.includes('testpmd')) return false
    const idle = idleKeys({ driver: 'inproc', accessor: name, iotlb })
    return !idle.some(({ key }) => swept.includes(key))
  })
  if (served.length === 0)
    throw usageError('--sweep', `no accessor depends on both ${swept.join(' and ')}; accepted: one of them in a run`)
  // Preference is fastest first; a table reads better from what is known to what was proposed.
  const all = served.map(({ name }) => ({ name, options: SEED_OPTIONS[name] ?? {} })).reverse()
  const floor =
    swept.length === 0 &&
    args.text('input') === null &&
    drivers.every((driver) => driver === 'inproc') &&
    backends.every((backend) => BASELINE_BACKENDS.includes(backend))
  return floor ? [...all, { name: BASELINE, options: {} }] : all
}

/** `--in-order`. */
function inOrderOf(args: Arguments, swept: readonly SweepKey[]): boolean {
  const inOrder = args.flag('in-order')
  if (inOrder && swept.includes('in-order'))
    throw usageError('--in-order', 'in-order is swept; accepted: one of --in-order and --sweep in-order=0,1')
  return inOrder
}

/** `--frame-bytes 64,imix`. */
function framesOf(args: Arguments, swept: readonly SweepKey[]): readonly number[] {
  const texts = args.list('frame-bytes')
  if (texts === null) return [DEFAULT_CELL.frameBytes]
  if (swept.includes('frame-bytes'))
    throw usageError('--frame-bytes', 'frame-bytes is swept; accepted: one of --frame-bytes and --sweep frame-bytes')
  return texts.map((text) => frameLengthOf('--frame-bytes', text))
}

/** `--input FILE`: where it is, and how long its frames are in the mean. */
function inputOf(args: Arguments, drivers: readonly DriverName[]): { path: string; meanBytes: number } | null {
  const text = args.text('input')
  if (text === null) return null
  if (args.text('frame-bytes') !== null)
    throw usageError('--input', 'frames have their lengths; leave --frame-bytes out')
  if (drivers.includes('testpmd'))
    throw usageError('--input', 'testpmd makes its own frames; accepted: --driver inproc or --driver inproc-threads')
  for (const sweep of args.all('sweep'))
    if (/^(frame-bytes|chain-length|indirect)=/.test(sweep))
      throw usageError('--input', `recorded frames are one descriptor each; leave --sweep ${sweep} out`)
  const path = resolve(text)
  return { path, meanBytes: Math.round(readInput(path).meanBytes * 100) / 100 }
}
