import { createHash } from 'node:crypto'

/**
 * What a lap leaves in the ring and in counts, as text. Counts are divided by the laps, so that a long trial says the
 * same as a short one. A count that the laps do not divide stays a fraction and makes hashes differ.
 */
export interface LapState {
  /** What was delivered: frames, bytes, verdicts. Equal for every accessor, ring format and order. */
  readonly delivered: string
  /** Used elements and the ids that came back. Equal for every accessor over rings of one format and order. */
  readonly ring: string
}

/**
 * @param used what the device wrote its used elements into; null: which ones it wrote depends on when it looked
 * @param idSum sum of the ids that came back
 */
export function lapState(
  used: Uint8Array | null,
  counts: Readonly<Record<string, number>>,
  idSum: number,
  laps: number,
): LapState {
  const perLap = Object.entries(counts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${name}=${count / laps}`)
  return { delivered: perLap.join(' '), ring: `${used === null ? '' : digest(used)} idSum=${idSum / laps}` }
}

/** The first 128 bits of SHA-256, in hexadecimal. */
export function digest(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex').slice(0, 32)
}
