import { around, axisTicks, legend, line, svg, text } from './picture.ts'

/** One line of {@link curveChart}: points by their place on the axis, those without a number last. */
export interface Curve {
  readonly label: string
  readonly points: readonly CurvePoint[]
}

export interface CurvePoint {
  /** A place on the axis, or the name of what has none: it is drawn beside the axis and on no line. */
  readonly x: number | string
  readonly y: number
  readonly low: number
  readonly high: number
}

/** Percents of the width that the plot lies between. */
const LEFT = 11
const RIGHT = 96

const HEIGHT = 320
const TOP = 28
const BOTTOM = HEIGHT - 44

/** How much further than the next place of the axis names stand, in places. */
const ASIDE = 0.6

/** An interval that is longer than this many times the largest median leaves the chart: it would flatten every line. */
const ROOM = 1.6

/** Where the axis of values ends: at the intervals, as long as the lines can still be read. */
function top(curves: readonly Curve[]): number {
  const points = curves.flatMap((curve) => curve.points)
  const largest = Math.max(...points.map(({ y }) => y), 0)
  return Math.min(Math.max(...points.map(({ high }) => high), 0), ROOM * largest)
}

/** Whether an interval of these leaves the chart, where an arrow stands for the rest of it. */
export function leavesChart(curves: readonly Curve[]): boolean {
  const end = axisTicks(top(curves)).at(-1)!
  return curves.some(({ points }) => points.some(({ high }) => high > end))
}

/** Lines with their intervals over an axis of the swept values, each with a colour and a dash of its own. */
export function curveChart(curves: readonly Curve[], xTitle: string, unit: string): string {
  const places = [...new Set(curves.flatMap(({ points }) => points.map((point) => point.x)))]
  const xs = places.filter((place) => typeof place === 'number').sort((a, b) => a - b)
  const names = places.filter((place) => typeof place === 'string').sort()
  const ticks = axisTicks(top(curves))
  const end = ticks.at(-1)!
  const aside = xs.length > 0 && names.length > 0 ? ASIDE : 0
  // By rank: values of a sweep are chosen, mostly doublings, and may begin at 0.
  const rank = (place: number | string): number =>
    typeof place === 'number' ? xs.indexOf(place) : xs.length + names.indexOf(place) + aside
  const most = Math.max(1, xs.length + names.length - 1 + aside)
  // Half a place is left free at both sides, for dots and numbers.
  const at = (position: number): number => LEFT + ((RIGHT - LEFT) * (position + 0.35)) / (most + 0.7)
  const x = (place: number | string): number => at(rank(place))
  const y = (value: number): number => BOTTOM - ((BOTTOM - TOP) * Math.min(value, end)) / end
  const body = [
    ...ticks.flatMap((tick) => [
      line('grid', LEFT, RIGHT, y(tick), y(tick)),
      text(LEFT - 1, y(tick) + 4, String(tick), 'class="tick" text-anchor="end"'),
    ]),
    ...[...xs, ...names].map((place) =>
      text(x(place), BOTTOM + 16, String(place), 'class="tick" text-anchor="middle"'),
    ),
    text((LEFT + RIGHT) / 2, BOTTOM + 36, xTitle, 'class="tick" text-anchor="middle"'),
    text(0, 12, `↑ ${unit}`, 'class="tick"'),
  ]
  if (aside > 0)
    body.push(line('axis-end', at(xs.length - 1 + (1 + ASIDE) / 2), at(xs.length - 1 + (1 + ASIDE) / 2), TOP, BOTTOM))
  curves.forEach(({ points }, index) => {
    const colour = index % 6
    const onAxis = points.filter((point) => typeof point.x === 'number')
    for (const [before, point] of onAxis.slice(1).map((point, place) => [onAxis[place]!, point] as const))
      body.push(line(`curve curve-${colour}`, x(before.x), x(point.x), y(before.y), y(point.y)))
    for (const point of points) {
      // Beside one another, so that intervals of several lines at one place can be told apart.
      const beside = 5 * (index - (curves.length - 1) / 2)
      const [low, high] = [y(point.low).toFixed(1), y(point.high).toFixed(1)]
      const shapes = [
        `<line class="interval-line curve-${colour}" x1="${beside}" x2="${beside}" y1="${low}" y2="${high}"/>`,
      ]
      if (point.high > end) shapes.push(`<path class="beyond dot-${colour}" d="M${beside - 4} ${TOP}h8l-4 -7z"/>`)
      shapes.push(marker(point, y(point.y), `dot-${colour}`))
      body.push(around(x(point.x), shapes))
    }
  })
  // As the lines lie on the right, from above.
  const lastOf = ({ points }: Curve): number => points.at(-1)?.y ?? 0
  const entries = curves
    .map((curve, index) => ({ label: curve.label, last: lastOf(curve), swatch: stroke(index % 6) }))
    .sort((a, b) => b.last - a.last)
  return legend(entries) + svg(HEIGHT, body)
}

/** A piece of a line for the legend. */
function stroke(colour: number): string {
  const dot = `<circle class="dot dot-${colour}" cx="50%" cy="6" r="3.5"/>`
  return `<svg width="36" height="12" aria-hidden="true">${line(`curve curve-${colour}`, 0, 100, 6, 6)}${dot}</svg>`
}

/** A dot on a line; a diamond beside the axis. */
function marker(point: CurvePoint, y: number, colour: string): string {
  if (typeof point.x === 'number') return `<circle class="dot ${colour}" cx="0" cy="${y.toFixed(1)}" r="3.5"/>`
  const corners = [
    [0, y - 6],
    [6, y],
    [0, y + 6],
    [-6, y],
  ]
  return `<polygon class="dot ${colour}" points="${corners.map((corner) => corner.map((n) => n.toFixed(1)).join(',')).join(' ')}"/>`
}
