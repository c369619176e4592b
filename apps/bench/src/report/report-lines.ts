import { LINE_AREAS } from '../lines/line-cache.ts'
import { linePredictions, linesOf } from '../lines/lines-result.ts'
import { KNOWN_PLACEMENTS } from '../placement/classes.ts'
import type { Results } from '../results/results.ts'
import { sweptNames } from '../results/varied-conditions.ts'
import { formatRate } from '../terminal/format.ts'
import type { ReportTable } from './report-tables.ts'

/** Cache lines that move for each packet, and the rates that they predict beside the measured ones. */
export function linesTable(results: Results): ReportTable {
  const predictions = linePredictions(results)
  const nameOf = sweptNames(predictions.map(({ cell }) => cell))
  const number = true
  return {
    caption:
      'A profile of this machine, not of any other. Lines that move between the two cores for each packet, both ways, counted on ' +
      'the datapath by area. A rate is 1000 / (compute + lines x half a round trip / overlap), with the round trip of the class. ' +
      'Of the first cell compute and overlap are fitted to its nearest and its farthest class, so only a class between them ' +
      'is predicted; the others have its overlap, and of their own the nearest class only.',
    columns: [
      { title: 'cell' },
      ...LINE_AREAS.map((title) => ({ title, number })),
      { title: 'lines', number },
      { title: 'compute, ns', number },
      { title: 'overlap', number },
      ...KNOWN_PLACEMENTS.map((place) => ({ title: `${place}: by lines, measured Mpps`, number })),
    ],
    rows: predictions.map(({ cell, lines, profile, by, rates }) => [
      `${nameOf(cell)}${by === null ? '' : ` (${by})`}`,
      ...LINE_AREAS.map((area) => linesOf(cell, area).toFixed(2)),
      lines.toFixed(2),
      profile === null ? '–' : profile.computeNs.toFixed(1),
      profile === null ? '–' : profile.overlap.toFixed(2),
      ...KNOWN_PLACEMENTS.map((place) => {
        const rate = rates.find((one) => one.class === place)
        if (rate === undefined) return '–'
        return `${rate.predicted === null ? '–' : formatRate(rate.predicted)}, ${formatRate(rate.measured)}`
      }),
    ]),
  }
}
