import { BASELINE, type CellSpec, type DriverName } from '../cell/cell-spec.ts'
import { isBuiltIn } from '../load-registry.ts'
import type { SweepKey } from './sweep-keys.ts'

/** The floor knows one piece of memory, chains of one descriptor, no barriers and no hooks. */
const OF_FLOOR: readonly SweepKey[] = [
  'chain-length',
  'indirect',
  'regions',
  'iotlb-entries',
  'invalidations',
  'file-backed',
  'barrier',
  'hooks',
]

/**
 * Keys that a driver's cells do not depend on. Testpmd brings its own memory, batches and chains; memory that two
 * threads share has neither page tables to invalidate nor files under it.
 */
const OF_DRIVER: Readonly<Record<DriverName, readonly SweepKey[]>> = {
  inproc: [],
  'inproc-threads': ['invalidations', 'file-backed'],
  testpmd: ['batch', ...OF_FLOOR],
}

/** Who does not depend on a key. */
export interface IdleKey {
  readonly key: SweepKey
  /** For people: `the driver testpmd`. */
  readonly of: string
}

/**
 * Keys that change nothing in a cell: a curve over one would be flat whatever is true. What an accessor is told and may
 * ignore (invalidations, pages of a file) is not among them: that it does not care is a result.
 */
export function idleKeys({ driver, accessor, iotlb }: Pick<CellSpec, 'driver' | 'accessor' | 'iotlb'>): IdleKey[] {
  const idle = OF_DRIVER[driver].map((key): IdleKey => ({ key, of: `the driver ${driver}` }))
  if (accessor === BASELINE) return [...idle, ...OF_FLOOR.map((key) => ({ key, of: 'the floor' }))]
  // The build without hooks is one of the sources here; a plugin brings its own.
  if (!isBuiltIn('accessor', accessor)) idle.push({ key: 'hooks', of: `the plugin ${accessor}` })
  // Buffers are under the device IOTLB, or in guest-physical regions: never both.
  return [...idle, { key: iotlb ? 'regions' : 'iotlb-entries', of: `the accessor ${accessor}` }]
}
