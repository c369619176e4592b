import type { Interval } from '../stats/index.ts'

/** A rate for people: three significant digits. */
export function formatRate(value: number): string {
  if (!Number.isFinite(value)) return '–'
  if (value >= 100) return value.toFixed(0)
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

/** A rate and its interval. */
export function formatRateInterval({ median, low, high }: Interval): string {
  return `${formatRate(median)} [${formatRate(low)}, ${formatRate(high)}]`
}

/** A ratio and its interval. */
export function formatRatio({ median, low, high }: Interval, digits = 2): string {
  return `${median.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`
}

/** A probability: below a thousandth its digits say nothing more. */
export function formatP(p: number): string {
  return p < 0.001 ? '< 0.001' : p.toFixed(3)
}

/** Bytes for people, in binary units. */
export function formatBytes(bytes: number): string {
  return bytes >= 1 << 20 ? `${Math.round(bytes / (1 << 20))} MiB` : `${Math.round(bytes / 1024)} KiB`
}

/** A time to wait, for people. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

/** The difference below which there is no verdict, for a table: `2.1 %`. */
export function formatFloor(floor: number | null | undefined): string {
  return floor == null ? '–' : `${(100 * floor).toFixed(1)} %`
}
