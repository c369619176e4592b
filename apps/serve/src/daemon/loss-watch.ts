import type { Log } from '../log/log.ts'
import type { Snapshot } from '../status/snapshot.ts'

/** How long one reason is not said again, ms. */
const QUIET_MS = 60_000

/** Says that frames are lost: one line for each reason and direction, then no more than one a minute. */
export class LossWatch {
  readonly #log: Log
  readonly #nowMs: () => number
  /** Frames of each reason that were said, and when. */
  readonly #said = new Map<string, { frames: number; atMs: number }>()

  constructor(log: Log, nowMs: () => number = () => performance.now()) {
    this.#log = log
    this.#nowMs = nowMs
  }

  see({ pairs }: Snapshot): void {
    const lost = new Map<string, number>()
    const add = (key: string, frames: number): void => void lost.set(key, (lost.get(key) ?? 0) + frames)
    for (const { txDropped, rxDropped } of pairs) {
      for (const [reason, frames] of Object.entries(txDropped)) add(`from the driver: ${reason}`, frames)
      for (const [reason, frames] of Object.entries(rxDropped)) add(`to the driver: ${reason}`, frames)
    }
    const now = this.#nowMs()
    for (const [key, frames] of lost) {
      const { frames: before, atMs } = this.#said.get(key) ?? { frames: 0, atMs: Number.NEGATIVE_INFINITY }
      if (frames <= before || now - atMs < QUIET_MS) continue
      this.#said.set(key, { frames, atMs: now })
      const more = frames - before
      this.#log(`dropped ${more} frame${more === 1 ? '' : 's'} ${key}`, 'warn')
    }
  }
}
