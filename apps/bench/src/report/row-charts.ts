import { formatRate } from '../terminal/format.ts'
import { AXIS, axisTicks, bar, grid, legend, line, PLOT, percent, rowName, square, svg, text } from './picture.ts'

/** Height of a row: its label, and what is drawn below that. */
const ROW = 42
const LABEL = 14

/** Places of values that run from 0 to the last tick. */
function scale(ticks: readonly number[]): (value: number) => number {
  return (value) => (PLOT * value) / ticks.at(-1)!
}

/** One bar of {@link stackedBars}: what it is and what it is made of. */
export interface StackedBar {
  readonly label: string
  readonly parts: Readonly<Record<string, number>>
}

/**
 * Horizontal bars in pieces, all against one axis, each below its label. The classes `part-NAME` colour the pieces.
 *
 * @param names the parts in the order they are drawn in, with what people call them
 */
export function stackedBars(
  bars: readonly StackedBar[],
  names: readonly (readonly [name: string, title: string])[],
  unit: string,
): string {
  const totals = bars.map(({ parts }) => names.reduce((sum, [name]) => sum + (parts[name] ?? 0), 0))
  const ticks = axisTicks(Math.max(...totals, 0))
  const place = scale(ticks)
  const bottom = bars.length * ROW + 4
  const body = [grid(ticks, place, bottom, unit)]
  bars.forEach(({ label, parts }, row) => {
    const y = row * ROW
    body.push(rowName(y + LABEL, label))
    let from = 0
    for (const [name] of names) {
      const value = parts[name] ?? 0
      if (value <= 0) continue
      const to = from + place(value)
      body.push(bar(`part-${name}`, from, to, y + 19, 18))
      // Where a number of three digits has room on a phone too.
      if (to - from > 9)
        body.push(text((from + to) / 2, y + 32.5, value.toFixed(0), 'class="inside" text-anchor="middle"'))
      from = to
    }
    body.push(text(from, y + 32.5, totals[row]!.toFixed(0), 'class="total" dx="5"'))
  })
  const drawn = names.filter(([name]) => bars.some(({ parts }) => (parts[name] ?? 0) > 0))
  return legend(drawn.map(([name, label]) => ({ label, swatch: square(`part-${name}`) }))) + svg(bottom + AXIS, body)
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
  const place = scale(ticks)
  const bottom = strips.length * ROW + 4
  const body = [grid(ticks, place, bottom, unit)]
  strips.forEach(({ label, values, median, low, high }, row) => {
    const middle = row * ROW + 28
    body.push(
      rowName(row * ROW + LABEL, label),
      bar('interval', place(low), place(high), middle - 9, 18),
      ...values.map((value, index) => {
        // Spread by turns, so that equal trials do not hide each other.
        const shift = ((index % 5) - 2) * 3
        return `<circle class="trial" cx="${percent(place(value))}" cy="${middle + shift}" r="2.5"/>`
      }),
      line('median', place(median), place(median), middle - 11, middle + 11),
      text(place(Math.max(high, ...values)), middle + 4.5, formatRate(median), 'class="total" dx="8"'),
    )
  })
  return svg(bottom + AXIS, body)
}

/** Where a figure is from. */
export type Origin = 'published' | 'modelled' | 'measured'

/** One bar of {@link gainChart}. */
export interface Gain {
  readonly origin: Origin
  /** SMAP on or off; null: as it is on this machine. */
  readonly smap: 'on' | 'off' | null
  /** Rate over the rate of the reference, less 1: 0.22 is +22 %. */
  readonly gain: number
  /** Its 95 % interval, of what was measured. */
  readonly low?: number
  readonly high?: number
}

/** Gains of one accessor over the reference, from all origins. */
export interface GainGroup {
  readonly label: string
  /** What it was compared with. */
  readonly reference: string
  readonly gains: readonly Gain[]
}

/** Names of bars take this share of the width. */
const NAMES = 43
/** Where they end: percents take more room than rates. */
const GAIN_END = 82
const GAIN_ROW = 22
const GAIN_HEAD = 26

/** What a bar of {@link gainChart} is of. */
export function gainName({ origin, smap }: Gain): string {
  return smap === null ? `${origin} here` : `${origin}, SMAP ${smap}`
}

/** A gain for people: `+22 %`. */
export function gainText(gain: number): string {
  const text = (100 * gain).toFixed(0)
  return `${Number(text) === 0 ? '±0' : gain > 0 ? `+${text}` : text.replace('-', '−')} %`
}

/** Round steps of an axis that has 0 on it. */
function gainTicks(least: number, most: number): number[] {
  const step = axisTicks(Math.max(most - least, 0.05), 4)[1]!
  const [first, last] = [Math.floor(least / step + 1e-9), Math.ceil(most / step - 1e-9)]
  return Array.from({ length: Math.max(1, last - first) + 1 }, (_, index) => (first + index) * step)
}

/** An interval that reaches further than this many times the largest gain leaves the chart: it would flatten every bar. */
const ROOM = 2

/** Where the axis ends, at the least. */
function highestGain(groups: readonly GainGroup[]): number {
  const all = groups.flatMap(({ gains }) => gains)
  const largest = Math.max(0.1, ...all.map(({ gain }) => gain))
  return Math.min(Math.max(0, ...all.map(({ gain, high }) => high ?? gain)), ROOM * largest)
}

/** Whether an interval leaves the chart. */
export function gainsLeaveChart(groups: readonly GainGroup[]): boolean {
  const end = highestGain(groups)
  return groups.some(({ gains }) => gains.some(({ high = 0 }) => high > end))
}

/** Bars that leave the line of the reference: what is published, modelled and measured, below one another. */
export function gainChart(groups: readonly GainGroup[], unit: string): string {
  const all = groups.flatMap(({ gains }) => gains)
  const least = Math.min(0, ...all.map(({ gain, low }) => low ?? gain))
  const ticks = gainTicks(least, highestGain(groups))
  const [start, end] = [ticks[0]!, ticks.at(-1)!]
  const place = (gain: number): number => NAMES + ((GAIN_END - NAMES) * (gain - start)) / (end - start)
  const bottom = groups.length * GAIN_HEAD + all.length * GAIN_ROW + 4
  const body = [
    grid(ticks, place, bottom, unit, (tick) => gainText(tick).replace(' %', '')),
    line('reference', place(0), place(0), 0, bottom),
  ]
  let y = 0
  for (const { label, gains } of groups) {
    body.push(rowName(y + 19, label, 'class="head"'))
    y += GAIN_HEAD
    for (const one of gains) {
      const { gain, low = gain } = one
      const high = Math.min(one.high ?? gain, end)
      body.push(
        text(NAMES - 2, y + 14.5, gainName(one), 'class="tick" text-anchor="end"'),
        bar(`origin-${one.origin}`, place(Math.min(0, gain)), place(Math.max(0, gain)), y + 3, 15),
      )
      if (high > low) body.push(line('whisker', place(low), place(high), y + 10.5, y + 10.5))
      body.push(text(place(Math.max(0, high)), y + 14.5, gainText(gain), 'class="total" dx="6"'))
      y += GAIN_ROW
    }
  }
  return svg(bottom + AXIS, body)
}
