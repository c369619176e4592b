import type { CellSpec } from '../cell/cell-spec.ts'
import { DeviceProcess } from '../drivers/device-process.ts'
import { ringText } from '../results/varied-conditions.ts'
import type { PairDevice } from '../slices/connected-pair.ts'
import { PEER_TITLES, type PeerName, servesDriver } from './peer-names.ts'
import type { PeerProgram } from './peer-program.ts'
import type { PeerReport, PeerRequest } from './peer-protocol.ts'

/** Where a peer runs. */
export interface PeerPlace {
  /** -1: on any CPU. */
  readonly cpu: number
  readonly hugePages: boolean
}

/** Devices of the kernel, and a program that maps its memory: on a machine that others use, too. */
const START_LIMIT_MS = 120_000
const ANSWER_LIMIT_MS = 30_000

/** A program that does the device's work in its place, measured in turn with a group of cells. */
export class Peer implements PairDevice {
  readonly name: PeerName
  readonly spec: CellSpec
  readonly ended: Promise<never> = new Promise(() => {})
  readonly #program: PeerProgram
  readonly #place: PeerPlace
  readonly #process: DeviceProcess<PeerRequest>

  /**
   * @param spec any cell of the group
   * @param signal Ctrl-C: ends it
   */
  constructor(name: PeerName, spec: CellSpec, program: PeerProgram, place: PeerPlace, signal: AbortSignal) {
    this.name = name
    this.spec = spec
    this.#process = new DeviceProcess('peer-cell', signal)
    this.#program = program
    this.#place = place
  }

  get label(): string {
    const { backend, ring, inOrder } = this.spec
    return `peer ${this.name}, ${backend}${this.connects ? `, ${ringText(ring, inOrder)}` : ''}`
  }

  get title(): string {
    return PEER_TITLES[this.name]
  }

  get connects(): boolean {
    return servesDriver(this.name)
  }

  async start(socket: string): Promise<void> {
    const what = { peer: this.name, spec: this.spec, ...this.#program, ...this.#place, socket }
    await this.#process.ask({ type: 'start', ...what }, START_LIMIT_MS)
  }

  count(): Promise<number> {
    return this.#process.ask({ type: 'count' }, ANSWER_LIMIT_MS)
  }

  resume(): Promise<void> {
    return this.#process.ask({ type: 'resume' }, ANSWER_LIMIT_MS)
  }

  pause(): Promise<void> {
    return this.#process.ask({ type: 'pause' }, ANSWER_LIMIT_MS)
  }

  report(): Promise<PeerReport> {
    return this.#process.ask({ type: 'report' }, ANSWER_LIMIT_MS)
  }

  close(): void {
    this.#process.close()
  }
}
