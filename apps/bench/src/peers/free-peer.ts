import { CellInterrupted } from '../cell/cell-failure.ts'
import type { SliceCount } from '../slices/slice.ts'
import type { Peer } from './peer.ts'

/** A peer that goes on settles this long before it is counted, in ms. */
const SETTLE_MS = 50

/** A peer beside cells whose driver is in process: no driver connects to it. It is stopped but for its trials. */
export class FreePeer {
  readonly peer: Peer
  readonly trials: SliceCount[] = []
  failure: string | null = null

  constructor(peer: Peer) {
    this.peer = peer
  }

  start(): Promise<void> {
    return this.#attempt(async () => {
      await this.peer.start('')
      await this.peer.pause()
    })
  }

  trial(durationMs: number): Promise<void> {
    return this.#attempt(async () => {
      const { peer } = this
      await peer.resume()
      await pause(SETTLE_MS)
      const from = await peer.count()
      const start = performance.now()
      await pause(durationMs)
      const packets = (await peer.count()) - from
      const seconds = (performance.now() - start) / 1000
      await peer.pause()
      if (packets === 0) throw new Error('frames stopped')
      this.trials.push({ packets, seconds })
    })
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    if (this.failure !== null) return
    try {
      await work()
    } catch (error) {
      if (error instanceof CellInterrupted) return
      this.failure = error instanceof Error ? error.message : String(error)
      this.peer.close()
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
