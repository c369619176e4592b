import { createHash } from 'node:crypto'

/**
 * The result of a lap, as text: a digest of the used area and the counts, each divided by the laps so that a long
 * trial says the same as a short one. A count that the laps do not divide stays a fraction and makes hashes differ.
 */
export function lapStateText(used: Uint8Array, counts: Readonly<Record<string, number>>, laps: number): string {
  const perLap = Object.entries(counts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${name}=${count / laps}`)
  return [digest(used), ...perLap].join(' ')
}

/** The first 128 bits of SHA-256, in hexadecimal. */
export function digest(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex').slice(0, 32)
}
