import type { Results } from '../src/results/results.ts'
import { comparePairs, pairsOfGroup } from '../src/run/compare-cells.ts'
import { classRates, pairedRatios, type SliceResult } from '../src/slices/class-rates.ts'
import { medianInterval, seededRandom } from '../src/stats/index.ts'
import { madeResults } from './made-results.ts'
import { type ClassMpps, madeSlices, PLACEMENT, slicedCell } from './made-slices.ts'

/** Lines of a packet in bursts of 32, as a count of them gives. */
const LINES = {
  'desc.toDevice': 0.25,
  'driver.toDevice': 0.06,
  'driver.toDriver': 0.03,
  'device.toDriver': 0.031,
  'frame.toDevice': 1,
}

/** Results of a run in slices whose cores were near and far, never between, with a peer. */
export function madeNearFar(): Results {
  const random = seededRandom(1)
  const cell = (accessor: string, rates: ClassMpps) => ({ ...slicedCell(accessor, rates), lines: LINES })
  const cells = [
    cell('copy-checked', { near: 17.6, far: 4.7, mixed: 9 }),
    cell('nospec-masked', { near: 17.9, far: 4.71, mixed: 9 }),
    cell('vmap-direct', { near: 18.3, far: 4.72, mixed: 9 }),
  ]
  const own: SliceResult[] = madeSlices({ near: 20.1, far: 5.2, mixed: 10 }, 24)
  const floor = { median: 1.002, low: 0.991, high: 1.012, slices: 24 }
  const noiseFloor = {
    ratioLow: 0.98,
    ratioHigh: 1.02,
    classes: { near: floor, between: null, far: floor, unknown: null },
  }
  return madeResults(cells, {
    command: ['vring-bench', 'run', '--driver', 'testpmd', '--peer', 'dpdk'],
    placement: PLACEMENT,
    noiseFloor,
    comparisons: comparePairs(pairsOfGroup(cells, noiseFloor), random),
    peers: [
      {
        name: 'DPDK',
        version: '22.11.11',
        role: 'net_vhost, rxonly, in place of this device',
        mpps: { median: 20, low: 19, high: 21 },
        trials: own.map(({ mpps }) => mpps),
        ratios: cells.flatMap(({ id, measured }) =>
          (['near', 'far'] as const).map((place) => {
            const ratios = pairedRatios(own, measured!.slices!, place)
            return { cell: id, class: place, slices: ratios.length, ratio: medianInterval(ratios, random) }
          }),
        ),
        slices: own,
        classes: classRates(own, 20, random),
        features: ['MRG_RXBUF', 'INDIRECT_DESC', 'PROTOCOL_FEATURES', 'VERSION_1'],
      },
    ],
  })
}
