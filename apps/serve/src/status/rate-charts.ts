import type { HistoryPoint } from './history.ts'

/** Of the drawing: it is stretched to its place. */
const WIDTH = 240
const HEIGHT = 60

/** Three small charts of the last minutes: frames a second from the driver, to it, and dropped. */
export function rateCharts(history: readonly HistoryPoint[]): string {
  if (history.length < 2) return '<p>Nothing yet: rates are taken every few seconds while a driver is connected.</p>'
  const charts = [
    chart('From the driver', history, ({ txRate }) => txRate),
    chart('To the driver', history, ({ rxRate }) => rxRate),
    chart('Dropped', history, ({ dropRate }) => dropRate),
  ]
  return `<div class="charts">\n${charts.join('\n')}\n</div>`
}

function chart(title: string, history: readonly HistoryPoint[], pick: (point: HistoryPoint) => number): string {
  const first = history[0]!.atMs
  const span = Math.max(1, history.at(-1)!.atMs - first)
  const values = history.map(pick)
  const most = Math.max(...values)
  const points = history.map(({ atMs }, i) => {
    const x = ((atMs - first) / span) * WIDTH
    const y = most === 0 ? HEIGHT : HEIGHT - (values[i]! / most) * (HEIGHT - 2)
    return `${x.toFixed(1)},${y.toFixed(1)}`
  })
  const now = rate(values.at(-1)!)
  const minutes = (span / 60_000).toLocaleString('en', { maximumFractionDigits: 1 })
  const label = `${title}, frames a second over ${minutes} minutes: now ${now}, at most ${rate(most)}`
  const line = points.join(' ')
  return `<figure><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${label}"><polygon points="0,${HEIGHT} ${line} ${WIDTH},${HEIGHT}"/><polyline points="${line}"/></svg>
<figcaption>${title}: <b>${now}/s</b>, at most ${rate(most)}/s in ${minutes} min</figcaption></figure>`
}

function rate(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 3 })
}
