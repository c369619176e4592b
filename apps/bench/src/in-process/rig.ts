import type { LapState } from './lap-state.ts'

/** What a cell's process measures: a driver and a device over one ring. */
export interface Rig {
  /**
   * Moves packets from the driver through the device.
   *
   * @param packets how many; a multiple of the batch, or a lap's rest
   * @param ahead packets of the next run that a driver of its own may publish already, so that it does not wait for it.
   * Default 0: all packets are back
   * @throws Error when the device stops taking them
   */
  run(packets: number, ahead?: number): void
  /**
   * What the ring holds and everything that is counted, per lap: equal for every accessor, every trial and any number
   * of laps. Call it at the end of a lap.
   *
   * @param laps laps since the last call
   */
  lapState(laps: number): LapState
  /** Accesses to metadata by `area.mode` since the beginning. */
  accesses(): Record<string, number>
  close(): void
}
