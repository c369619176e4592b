import { CellFailure, CellInterrupted } from '../cell/cell-failure.ts'
import type { CellProcess } from '../cell/cell-process.ts'
import type { Sitting, SliceCount } from './slice.ts'

/**
 * A driver and a device in two threads of one process, which is stopped (SIGSTOP) but for its slices: a driver's thread
 * spins.
 */
export class ThreadsPair implements Sitting {
  readonly label: string
  failure: string | null = null
  readonly #process: CellProcess
  readonly #prepare: (process: CellProcess) => Promise<void>

  /** @param prepare builds the cell and warms it up */
  constructor(process: CellProcess, prepare: (process: CellProcess) => Promise<void>) {
    this.#process = process
    this.label = process.spec.id
    this.#prepare = prepare
  }

  async connect(): Promise<void> {
    await this.step(async (process) => {
      await this.#prepare(process)
      process.pause()
    })
  }

  /** Whole laps, so a slice of a slow cell may be longer than it should be. */
  run(durationMs: number): Promise<SliceCount | null> {
    return this.step(async (process) => {
      process.resume()
      const trial = await process.trial(durationMs)
      process.pause()
      return { packets: trial.packets, seconds: trial.seconds, trial }
    })
  }

  async close(): Promise<void> {
    this.#process.close()
  }

  /** Does one step; a cell that fails keeps its reason and takes no further part. */
  async step<T>(work: (process: CellProcess) => Promise<T>): Promise<T | null> {
    if (this.failure !== null) return null
    try {
      return await work(this.#process)
    } catch (error) {
      if (error instanceof CellInterrupted) return null
      if (!(error instanceof CellFailure)) throw error
      this.failure = error.message
      this.#process.close()
      return null
    }
  }
}
