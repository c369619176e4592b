import { CellFailure, CellInterrupted } from '../cell-process.ts'
import type { CellSpec } from '../cell-spec.ts'
import { DeviceProcess } from '../drivers/device-process.ts'
import type { CellResult, PeerResult } from '../results.ts'
import { medianInterval, type Random, ratioInterval } from '../stats/index.ts'
import { PEER_TITLES, type PeerName, peerRole } from './peer-names.ts'
import type { PeerProgram } from './peer-program.ts'
import type { PeerRequest, PeerTrial } from './peer-protocol.ts'

/** Where a trial of a peer takes place. */
export type PeerPlace = Pick<PeerRequest, 'socket' | 'cpu' | 'hugePages'>

/** A program that does the device's work in its place, measured in turn with a group of cells. */
export class Peer {
  readonly name: PeerName
  readonly trials: PeerTrial[] = []
  /** Why it takes no further part, or null. */
  failure: string | null = null
  readonly #spec: CellSpec
  readonly #program: PeerProgram
  readonly #process: DeviceProcess<PeerRequest, PeerTrial>

  /**
   * @param spec any cell of the group
   * @param signal Ctrl-C: ends a trial, which then does not count
   */
  constructor(name: PeerName, spec: CellSpec, program: PeerProgram, signal: AbortSignal) {
    this.name = name
    this.#process = new DeviceProcess('peer-cell', signal)
    this.#spec = spec
    this.#program = program
  }

  /** For people. */
  get label(): string {
    return `peer ${this.name}, ${this.#spec.backend}`
  }

  /** One trial; `onListening` starts the driver, for a peer that has one. */
  async trial(
    place: PeerPlace,
    times: { readonly warmUpMs: number; readonly durationMs: number },
    onListening: () => void,
  ): Promise<void> {
    const request = { peer: this.name, spec: this.#spec, ...this.#program, ...place, ...times }
    await this.against(async () => void this.trials.push(await this.#process.serve(request, onListening)))
  }

  /** Does `work` with it, which ends its part in the run where it fails. */
  async against(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (error instanceof CellInterrupted) return
      if (!(error instanceof CellFailure)) throw error
      this.failure = error.message
      this.#process.close()
    }
  }

  /**
   * What was measured; null without a trial.
   *
   * @param cells of its group: how they compare with it
   */
  result(cells: readonly CellResult[], random: Random): PeerResult | null {
    const { trials, name } = this
    if (trials.length === 0) return null
    const rates = trials.map(({ packets, seconds }) => packets / seconds / 1e6)
    return {
      name: PEER_TITLES[name],
      version: trials[0]!.version,
      role: peerRole(name, this.#spec.backend),
      mpps: medianInterval(rates, random),
      trials: rates,
      ratios: cells.flatMap(({ id, measured }) =>
        measured === null ? [] : [{ cell: id, ratio: ratioInterval(rates, measured.trials, random) }],
      ),
    }
  }

  close(): void {
    this.#process.close()
  }
}
