import type { CellResult, Results } from '../results/results.ts'
import { cellNames } from '../results/varied-conditions.ts'
import { formatRateInterval } from '../terminal/format.ts'
import type { Curve } from './curve-chart.ts'
import type { ReportTable } from './report-tables.ts'
import type { Strip } from './row-charts.ts'

/** Curves of one swept key, the other keys held. */
export interface CurveSet {
  readonly key: string
  /** The other keys with their values; empty when only one key was swept. */
  readonly held: readonly string[]
  readonly curves: readonly Curve[]
  /** The same cells as trials, a strip for each value and accessor. */
  readonly strips: readonly Strip[]
}

type NameOf = (cell: CellResult) => string

/** Every sweep of a run as ns a packet over the swept key, a line for each accessor under each of the other conditions. */
export function curveSets({ cells }: Results): CurveSet[] {
  const swept = cells.filter((cell) => cell.measured !== null && Object.keys(cell.sweep ?? {}).length > 0)
  const nameOf = cellNames(swept)
  const keys = [...new Set(swept.flatMap((cell) => Object.keys(cell.sweep ?? {})))]
  return keys.flatMap((key) => {
    const sets = new Map<string, { held: string[]; members: CellResult[] }>()
    for (const cell of swept) {
      const held = Object.entries(cell.sweep ?? {})
        .filter(([name]) => name !== key)
        .map(([name, value]) => `${name} ${value}`)
      const set = sets.get(held.join())
      if (set === undefined) sets.set(held.join(), { held, members: [cell] })
      else set.members.push(cell)
    }
    return [...sets.values()].map(({ held, members }) => ({
      key,
      held,
      curves: curvesOf(key, members, nameOf),
      strips: stripsOf(key, members, nameOf),
    }))
  })
}

/** Values of a sweep that make a curve: less of them are a choice, such as `barrier=0,1`, that has nothing in between. */
const CURVE_PLACES = 3

/** Whether a set is drawn as lines; else its strips are. */
export function isCurve({ curves }: Pick<CurveSet, 'curves'>): boolean {
  const places = curves.flatMap(({ points }) => points.map(({ x }) => x))
  return new Set(places.filter((place) => typeof place === 'number')).size >= CURVE_PLACES
}

function stripsOf(key: string, cells: readonly CellResult[], nameOf: NameOf): Strip[] {
  const labels = [...new Set(cells.map(nameOf))]
  return cells
    .toSorted(
      (a, b) => byPlace(a.sweep![key]!, b.sweep![key]!) || labels.indexOf(nameOf(a)) - labels.indexOf(nameOf(b)),
    )
    .map((cell) => ({
      label: `${key} ${cell.sweep![key]}: ${nameOf(cell)}`,
      values: cell.measured!.trials,
      ...cell.measured!.mpps,
    }))
}

function curvesOf(key: string, cells: readonly CellResult[], nameOf: NameOf): Curve[] {
  const labels = [...new Set(cells.map(nameOf))]
  return labels.map((label) => ({
    label,
    points: cells
      .filter((cell) => nameOf(cell) === label)
      .map((cell) => {
        const { median, low, high } = cell.measured!.mpps
        return { x: cell.sweep![key]!, y: 1000 / median, low: 1000 / high, high: 1000 / low }
      })
      .sort((a, b) => byPlace(a.x, b.x)),
  }))
}

/** Numbers ascending, then what has no number, as `imix`: a mix of lengths is no length, and has no place between two. */
export function byPlace(a: number | string, b: number | string): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0
  return typeof a === 'number' ? -1 : 1
}

/** `batch (queue-size 256, frame-bytes 64)`. */
export function curveTitle({ key, held }: Pick<CurveSet, 'key' | 'held'>): string {
  return held.length === 0 ? key : `${key} (${held.join(', ')})`
}

/** The numbers of a set of curves. */
export function curveTable({ key, held, curves }: CurveSet): ReportTable {
  const places = [...new Set(curves.flatMap(({ points }) => points.map(({ x }) => x)))].sort(byPlace)
  return {
    caption: `Measured, ns a packet [95 %] over ${curveTitle({ key, held })}.`,
    columns: [{ title: key, number: true }, ...curves.map(({ label }) => ({ title: label, number: true }))],
    rows: places.map((place) => [
      String(place),
      ...curves.map(({ points }) => {
        const point = points.find(({ x }) => x === place)
        return point === undefined ? '' : formatRateInterval({ median: point.y, low: point.low, high: point.high })
      }),
    ]),
  }
}
