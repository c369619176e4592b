const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/**
 * `5s`, `10m`, `1h` or `500ms` in ms.
 *
 * @throws Error for anything else
 */
export function parseDuration(text: string): number {
  const [, count, unit] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? []
  if (count === undefined || unit === undefined)
    throw new Error(`--time is ${JSON.stringify(text)}; accepted: a number and ms, s, m or h, as in 10m`)
  return Number(count) * UNITS[unit]!
}
