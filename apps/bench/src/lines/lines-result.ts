import type { Registry } from '@vring/registry'
import { runAccessorCode } from '../cell/accessor-code.ts'
import { BASELINE, type CellSpec } from '../cell/cell-spec.ts'
import type { CellResult, Results } from '../results/results.ts'
import { countLines, type LineConditions, type PacketLines, TESTPMD_LINES } from './count-lines.ts'
import { LINE_AREAS } from './line-cache.ts'
import { classPoints, fitLineProfile, type LineProfile, predictMpps } from './predict-lines.ts'

/** What the driver of a cell does. */
function lineConditionsOf({ driver, batch }: Pick<CellSpec, 'driver' | 'batch'>): LineConditions {
  return driver === 'testpmd' ? TESTPMD_LINES : { batch, recycling: 'fifo', rewrites: false }
}

/** Results with the lines that move in each cell whose driver has a core of its own. */
export function withLines(results: Results, specs: readonly CellSpec[], registry: Registry): Results {
  const byId = new Map(specs.map((spec) => [spec.id, spec]))
  return {
    ...results,
    cells: results.cells.map((cell) => {
      const spec = byId.get(cell.id)
      // One that has no result may not have one here either: its plugin may throw, or never return.
      if (spec === undefined || spec.driver === 'inproc' || spec.accessor === BASELINE || cell.failure !== undefined)
        return cell
      const lines = runAccessorCode(spec.accessor, () => countLines(spec, registry, lineConditionsOf(spec)))
      return lines === null ? cell : { ...cell, lines: flatLines(lines) }
    }),
  }
}

/** As `results.json` has them: `{ 'desc.toDevice': 0.25, ... }`. */
export function flatLines(lines: PacketLines): Record<string, number> {
  return Object.fromEntries(
    LINE_AREAS.flatMap((area) => Object.entries(lines[area]).map(([kind, count]) => [`${area}.${kind}`, count])),
  )
}

/** Lines of an area that move per packet, both ways. */
export function linesOf(cell: Pick<CellResult, 'lines'>, area: string): number {
  return (cell.lines?.[`${area}.toDevice`] ?? 0) + (cell.lines?.[`${area}.toDriver`] ?? 0)
}

/** A cell with what its lines predict. */
export interface LinePrediction {
  readonly cell: CellResult
  /** Lines that move per packet. */
  readonly lines: number
  readonly profile: LineProfile | null
  /**
   * `fitted`: through its own nearest and farthest class, so only a class between them is predicted. `predicted`: the
   * overlap is that of the fitted cell, and of its own there is the nearest class only.
   */
  readonly by: 'fitted' | 'predicted' | null
  readonly rates: readonly { readonly class: string; readonly measured: number; readonly predicted: number | null }[]
}

/** Rates of each class by the lines of each cell: the first cell that has two classes gives the machine's overlap. */
export function linePredictions({ cells }: Pick<Results, 'cells'>): LinePrediction[] {
  let overlap: number | null = null
  return cells.flatMap((cell): LinePrediction[] => {
    const { measured } = cell
    if (cell.lines === undefined || measured?.slices === undefined || measured.classes === undefined) return []
    const classes = measured.classes
    const lines = LINE_AREAS.reduce((sum, area) => sum + linesOf(cell, area), 0)
    const points = classPoints(measured.slices, (place) => classes[place]?.mpps.median ?? null)
    const nearest = points[0]
    let by: LinePrediction['by'] = null
    let profile: LineProfile | null = null
    if (overlap === null) {
      profile = fitLineProfile(points, lines)
      if (profile !== null) by = 'fitted'
      overlap = profile?.overlap ?? null
    } else if (nearest !== undefined) {
      const computeNs = nearest.nsPerPacket - (lines * nearest.roundTripNs) / 2 / overlap
      if (computeNs > 0) {
        by = 'predicted'
        profile = { overlap, computeNs }
      }
    }
    const rates = points.map((point) => ({
      class: point.class,
      measured: 1000 / point.nsPerPacket,
      predicted: profile === null ? null : predictMpps(profile, lines, point.roundTripNs),
    }))
    return [{ cell, lines, profile, by, rates }]
  })
}
