import type { CellResult, Results } from '../src/results/results.ts'
import { classRates, type SliceResult } from '../src/slices/class-rates.ts'
import { seededRandom } from '../src/stats/index.ts'
import { madeCell } from './made-results.ts'

/** Rates of classes, and of the slices that were mixed. */
export type ClassMpps = Partial<Record<SliceResult['class'], number>>

/** Slices of each class in turn, `count` of each, 2 % apart from end to end. */
export function madeSlices(rates: ClassMpps, count: number): SliceResult[] {
  const trips = { near: 57, between: 130, far: 350, mixed: 57, unknown: null }
  const kinds = Object.entries(rates) as [SliceResult['class'], number][]
  const order = Object.keys(trips)
  return Array.from({ length: count }, (_, index) =>
    kinds.map(([kind, mpps]): SliceResult => {
      const ns = trips[kind]
      const afterNs = kind === 'mixed' ? 350 : ns
      // What a cell has in a slice depends on the slice, as of a neighbour that comes and goes.
      return {
        round: index * order.length + order.indexOf(kind),
        mpps: mpps * (0.99 + (0.02 * index) / count),
        beforeNs: ns,
        afterNs,
        class: kind,
      }
    }),
  ).flat()
}

/** A cell with a real driver, as a run in slices would leave it. */
export function slicedCell(accessor: string, rates: ClassMpps, count = 24): CellResult {
  const slices = madeSlices(rates, count)
  const cell = madeCell(accessor, slices[0]!.mpps, { driver: 'testpmd', features: ['MRG_RXBUF', 'VERSION_1'] })
  return {
    ...cell,
    id: `${accessor}/split/testpmd/xdp1/64B/q256/b64`,
    measured: {
      ...cell.measured!,
      trials: slices.map(({ mpps }) => mpps),
      slices,
      classes: classRates(slices, 20, seededRandom(1)),
    },
  }
}

/** The placement of such a run. */
export const PLACEMENT: NonNullable<Results['placement']> = {
  cores: [0, 1],
  method: 'machine code',
  fifo: true,
  bounds: { nearNs: 80, farNs: 225 },
  moves: true,
  sliceMs: 100,
  needed: 20,
  patienceMs: 300_000,
  notes: [],
}
