import { escapeHtml } from './html.ts'

/** Widths and heights in SVG units, which are pixels of an unscaled page. */
const WIDTH = 720
const ROW = 34
const AXIS = 38

/** Round steps of an axis from 0: about five of them. */
export function axisTicks(most: number): number[] {
  if (!(most > 0)) return [0, 1]
  const raw = most / 5
  const magnitude = 10 ** Math.floor(Math.log10(raw))
  const step = [1, 2, 5, 10].map((factor) => factor * magnitude).find((candidate) => candidate >= raw)!
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, index) => Number((index * step).toPrecision(12)))
}

function svg(height: number, body: readonly string[]): string {
  return `<svg viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" aria-hidden="true">${body.join('')}</svg>`
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escapeHtml(content)}</text>`
}

/** Room for the longest label and a gap: a character of a wide font takes 8 units. */
function labelWidth(labels: readonly string[]): number {
  return 8 * Math.max(12, ...labels.map(({ length }) => length)) + 20
}

/** Vertical grid with its numbers, for charts whose values run to the right of `left`. */
function grid(ticks: readonly number[], left: number, bottom: number, unit: string): string[] {
  const most = ticks.at(-1)!
  const x = (value: number): number => left + ((WIDTH - left - 40) * value) / most
  return [
    ...ticks.map((tick) => `<line class="grid" x1="${x(tick)}" x2="${x(tick)}" y1="8" y2="${bottom}"/>`),
    ...ticks.map((tick) => text(x(tick), bottom + 16, String(tick), 'class="tick" text-anchor="middle"')),
    text(x(most), bottom + 31, unit, 'class="tick" text-anchor="middle"'),
  ]
}

/** One bar of {@link stackedBars}: what it is and what it is made of. */
export interface StackedBar {
  readonly label: string
  readonly parts: Readonly<Record<string, number>>
}

/** Room that a legend takes for a character, and for its square and gap. */
const LEGEND_CHARACTER = 8
const LEGEND_GAP = 36

/** Horizontal bars in pieces, all against one axis. The classes `part-NAME` colour the pieces. */
export function stackedBars(bars: readonly StackedBar[], names: readonly string[], unit: string): string {
  const totals = bars.map(({ parts }) => names.reduce((sum, name) => sum + (parts[name] ?? 0), 0))
  const ticks = axisTicks(Math.max(...totals, 0))
  const left = labelWidth(bars.map(({ label }) => label))
  const scale = (WIDTH - left - 40) / ticks.at(-1)!
  const legendRow = 26
  const bottom = legendRow + bars.length * ROW + 6
  const body = [`<g transform="translate(0 0)">${grid(ticks, left, bottom, unit).join('')}</g>`]
  // Above the bars, or as far to the left as it needs.
  const legendWidth = names.reduce((sum, name) => sum + LEGEND_CHARACTER * name.length + LEGEND_GAP, 0)
  let legend = Math.max(4, Math.min(left, WIDTH - legendWidth))
  for (const name of names) {
    body.push(
      `<rect class="part-${name}" x="${legend}" y="4" width="12" height="12"/>`,
      text(legend + 16, 14, name, 'class="tick"'),
    )
    legend += LEGEND_CHARACTER * name.length + LEGEND_GAP
  }
  bars.forEach(({ label, parts }, row) => {
    const y = legendRow + row * ROW
    body.push(text(left - 8, y + 19, label, 'text-anchor="end"'))
    let x = left
    for (const name of names) {
      const width = (parts[name] ?? 0) * scale
      if (width > 0) {
        body.push(
          `<rect class="part-${name}" x="${x.toFixed(1)}" y="${y + 5}" width="${width.toFixed(1)}" height="20"/>`,
        )
        if (width > 34)
          body.push(text(x + width / 2, y + 19, parts[name]!.toFixed(0), 'class="inside" text-anchor="middle"'))
      }
      x += width
    }
    body.push(text(x + 4, y + 19, totals[row]!.toFixed(0), 'class="tick"'))
  })
  return svg(bottom + AXIS, body)
}

/** One row of {@link stripChart}. */
export interface Strip {
  readonly label: string
  readonly values: readonly number[]
  readonly median: number
  readonly low: number
  readonly high: number
}

/** Every trial as a point, the median as a mark and its interval as a band: the distribution, not only its average. */
export function stripChart(strips: readonly Strip[], unit: string): string {
  const ticks = axisTicks(Math.max(...strips.flatMap(({ values, high }) => [...values, high]), 0))
  const left = labelWidth(strips.map(({ label }) => label))
  const x = (value: number): number => left + ((WIDTH - left - 40) * value) / ticks.at(-1)!
  const bottom = 8 + strips.length * ROW
  const body = grid(ticks, left, bottom, unit)
  strips.forEach(({ label, values, median, low, high }, row) => {
    const y = 8 + row * ROW + ROW / 2
    body.push(
      text(left - 8, y + 4, label, 'text-anchor="end"'),
      `<rect class="interval" x="${x(low).toFixed(1)}" y="${y - 9}" width="${Math.max(1, x(high) - x(low)).toFixed(1)}" height="18"/>`,
      ...values.map((value, index) => {
        // Spread by turns, so that equal trials do not hide each other.
        const shift = ((index % 5) - 2) * 3
        return `<circle class="trial" cx="${x(value).toFixed(1)}" cy="${y + shift}" r="2.5"/>`
      }),
      `<line class="median" x1="${x(median).toFixed(1)}" x2="${x(median).toFixed(1)}" y1="${y - 11}" y2="${y + 11}"/>`,
      text(
        x(Math.max(high, ...values)) + 8,
        y + 4,
        median >= 100 ? median.toFixed(0) : median.toFixed(1),
        'class="tick"',
      ),
    )
  })
  return svg(bottom + AXIS, body)
}

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

/** How much further than the next place of the axis names stand, in places. */
const ASIDE = 0.6

/** Lines with their intervals over an axis of doublings; each line is labelled at its end and has a shape of its own. */
export function curveChart(curves: readonly Curve[], xTitle: string, unit: string): string {
  const height = 320
  const left = 56
  const right = labelWidth(curves.map(({ label }) => label))
  const places = [...new Set(curves.flatMap(({ points }) => points.map((point) => point.x)))]
  const xs = places.filter((place) => typeof place === 'number').sort((a, b) => a - b)
  const names = places.filter((place) => typeof place === 'string').sort()
  const ticks = axisTicks(Math.max(...curves.flatMap(({ points }) => points.map(({ high }) => high)), 0))
  const bottom = height - 44
  const aside = xs.length > 0 && names.length > 0 ? ASIDE : 0
  // By rank: values of a sweep are chosen, mostly doublings, and may begin at 0.
  const rank = (place: number | string): number =>
    typeof place === 'number' ? xs.indexOf(place) : xs.length + names.indexOf(place) + aside
  const most = Math.max(1, xs.length + names.length - 1 + aside)
  const at = (position: number): number => left + ((WIDTH - left - right) * position) / most
  const x = (place: number | string): number => at(rank(place))
  const y = (value: number): number => bottom - ((bottom - 28) * value) / ticks.at(-1)!
  const body = [
    ...ticks.flatMap((tick) => [
      `<line class="grid" x1="${left}" x2="${WIDTH - right}" y1="${y(tick)}" y2="${y(tick)}"/>`,
      text(left - 6, y(tick) + 4, String(tick), 'class="tick" text-anchor="end"'),
    ]),
    ...[...xs, ...names].map((place) =>
      text(x(place), bottom + 16, String(place), 'class="tick" text-anchor="middle"'),
    ),
    text((left + WIDTH - right) / 2, bottom + 36, xTitle, 'class="tick" text-anchor="middle"'),
    text(4, 12, unit, 'class="tick"'),
  ]
  if (aside > 0) {
    const end = at(xs.length - 1 + (1 + ASIDE) / 2).toFixed(1)
    body.push(`<line class="axis-end" x1="${end}" x2="${end}" y1="28" y2="${bottom}"/>`)
  }
  const ends: number[] = []
  curves.forEach(({ label, points }, index) => {
    const line = points.filter((point) => typeof point.x === 'number')
    const path = line.map((point) => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join(' ')
    body.push(`<polyline class="curve curve-${index % 6}" points="${path}"/>`)
    for (const point of points) {
      // Beside one another, so that intervals of several lines at one place can be told apart.
      const beside = (x(point.x) + 4 * (index - (curves.length - 1) / 2)).toFixed(1)
      body.push(
        `<line class="interval-line curve-${index % 6}" x1="${beside}" x2="${beside}" y1="${y(point.low).toFixed(1)}" y2="${y(point.high).toFixed(1)}"/>`,
        marker(point, x(point.x), y(point.y), `dot-${index % 6}`),
      )
    }
    const last = points.at(-1)
    if (last === undefined) return
    let labelY = y(last.y) + 4
    // Labels that would lie on each other move down.
    while (ends.some((taken) => Math.abs(taken - labelY) < 14)) labelY += 14
    ends.push(labelY)
    body.push(text(x(last.x) + 10, labelY, label, `class="end-${index % 6}"`))
  })
  return svg(height, body)
}

/** A dot on a line; a diamond beside the axis. */
function marker(point: CurvePoint, x: number, y: number, colour: string): string {
  if (typeof point.x === 'number')
    return `<circle class="dot ${colour}" cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3.5"/>`
  const corners = [
    [x, y - 6],
    [x + 6, y],
    [x, y + 6],
    [x - 6, y],
  ]
  const points = corners.map((corner) => corner.map((number) => number.toFixed(1)).join(',')).join(' ')
  return `<polygon class="dot ${colour}" points="${points}"/>`
}
