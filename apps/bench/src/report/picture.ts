import { escapeHtml, nameParts } from './html.ts'

/**
 * Helpers of charts. A chart is as wide as the page lets it be. What lies along an axis is placed in percents of that
 * width. So text keeps its size on a phone, on paper and when it is zoomed. Heights are in CSS pixels.
 */

/** How much of a chart its values take, percent of the width; the rest is for the number at the end of a row. */
export const PLOT = 86

/** Room below the plot for numbers and the name of the axis, pixels. */
export const AXIS = 40

/** Round steps of an axis from 0: about five of them, or as many as there is room for. */
export function axisTicks(most: number, steps = 5): number[] {
  if (!(most > 0)) return [0, 1]
  const raw = most / steps
  const magnitude = 10 ** Math.floor(Math.log10(raw))
  const step = [1, 2, 5, 10].map((factor) => factor * magnitude).find((candidate) => candidate >= raw)!
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, index) => Number((index * step).toPrecision(12)))
}

/** A picture as wide as it may be. What it shows is in the caption and the table beside it. */
export function svg(height: number, body: readonly string[]): string {
  return `<svg width="100%" height="${height}" aria-hidden="true">${body.join('')}</svg>`
}

/** Coordinates along the width: `12.5%`. */
export function percent(share: number): string {
  return `${Number(share.toFixed(2))}%`
}

/** Text at a share of the width. */
export function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${percent(x)}" y="${Number(y.toFixed(1))}" ${attributes}>${escapeHtml(content)}</text>`
}

/** The name of a row, at the left edge: its options are small. */
export function rowName(y: number, content: string, attributes = ''): string {
  const [name, options, rest] = nameParts(content)
  const small = options === '' ? '' : `<tspan class="tick" dx="6">${escapeHtml(options)}</tspan>`
  return `<text x="0" y="${y}" ${attributes}>${escapeHtml(name + rest)}${small}</text>`
}

/** Shapes in pixels around a place that is a share of the width. */
export function around(x: number, shapes: readonly string[]): string {
  return `<svg x="${percent(x)}" overflow="visible">${shapes.join('')}</svg>`
}

/** A vertical or horizontal line; `x1` and `x2` are shares of the width. */
export function line(name: string, x1: number, x2: number, y1: number, y2: number): string {
  const [from, to] = [Number(y1.toFixed(1)), Number(y2.toFixed(1))]
  return `<line class="${name}" x1="${percent(x1)}" x2="${percent(x2)}" y1="${from}" y2="${to}"/>`
}

/** A bar between two shares of the width, a pixel at least. */
export function bar(name: string, from: number, to: number, y: number, height: number): string {
  const width = Math.max(0.15, to - from)
  return `<rect class="${name}" x="${percent(from)}" y="${y}" width="${percent(width)}" height="${height}"/>`
}

/** Vertical grid with its numbers and the name of the axis, for charts whose values run to the right. */
export function grid(
  ticks: readonly number[],
  place: (value: number) => number,
  bottom: number,
  unit: string,
  label: (tick: number) => string = String,
): string {
  // A number in the middle of the left edge would be cut in two.
  const anchor = (tick: number): string => (place(tick) === 0 ? 'start' : 'middle')
  return [
    ...ticks.map((tick) => line('grid', place(tick), place(tick), 0, bottom)),
    ...ticks.map((tick) => text(place(tick), bottom + 15, label(tick), `class="tick" text-anchor="${anchor(tick)}"`)),
    text(place(ticks[0]!), bottom + 33, `${unit} →`, 'class="tick"'),
  ].join('')
}

/** What the colours of a chart mean, above it; it wraps. */
export function legend(entries: readonly { readonly label: string; readonly swatch: string }[]): string {
  const items = entries.map(({ label, swatch }) => `<span>${swatch}${escapeHtml(label)}</span>`)
  return `<p class="legend">${items.join(' ')}</p>`
}

/** A coloured square of a {@link legend}. */
export function square(name: string): string {
  return `<svg width="12" height="12" aria-hidden="true"><rect class="${name}" width="12" height="12"/></svg>`
}
