import type { Snapshot } from './snapshot.ts'

/** Rates between two looks at a device. */
export interface HistoryPoint {
  /** ms since 1970. */
  readonly atMs: number
  /** Frames a second from the driver, to it, and dropped in either direction. */
  readonly txRate: number
  readonly rxRate: number
  readonly dropRate: number
}

/** Looks that are kept: ten minutes of one every five seconds. */
const POINTS_MAX = 120

/** The rates of the last minutes. */
export class History {
  readonly #everyMs: number
  #points: readonly HistoryPoint[] = []
  #last: { atMs: number; tx: number; rx: number; dropped: number } | null = null

  /** @param everyMs how often it is looked */
  constructor(everyMs: number) {
    this.#everyMs = everyMs
  }

  /** Oldest first. Replaced, never changed. */
  get points(): readonly HistoryPoint[] {
    return this.#points
  }

  /** Nothing moved when it was looked last. */
  get isQuiet(): boolean {
    const last = this.#points.at(-1)
    return last === undefined || (last.txRate === 0 && last.rxRate === 0 && last.dropRate === 0)
  }

  add({ pairs }: Snapshot, atMs: number = Date.now()): void {
    const sum = (counts: Readonly<Record<string, number>>): number =>
      Object.values(counts).reduce((total, count) => total + count, 0)
    const now = { atMs, tx: 0, rx: 0, dropped: 0 }
    for (const pair of pairs) {
      now.tx += pair.txFrames
      now.rx += pair.rxFrames
      now.dropped += sum(pair.txDropped) + sum(pair.rxDropped)
    }
    const before = this.#last
    this.#last = now
    if (before === null || atMs <= before.atMs) return
    const seconds = (atMs - before.atMs) / 1000
    const gap = seconds * 1000 > 3 * this.#everyMs ? [quiet(before.atMs + 1), quiet(atMs - this.#everyMs)] : []
    const rate = (from: number, to: number): number =>
      Math.max(0, (to - from) / (gap.length > 0 ? this.#everyMs / 1000 : seconds))
    this.#points = [
      ...this.#points,
      ...gap,
      {
        atMs,
        txRate: rate(before.tx, now.tx),
        rxRate: rate(before.rx, now.rx),
        dropRate: rate(before.dropped, now.dropped),
      },
    ].slice(-POINTS_MAX)
  }
}

/** Between two looks there was no driver. */
function quiet(atMs: number): HistoryPoint {
  return { atMs, txRate: 0, rxRate: 0, dropRate: 0 }
}
