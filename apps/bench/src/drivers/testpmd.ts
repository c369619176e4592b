import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { CellSpec } from '../cell/cell-spec.ts'
import { makeTemporary } from '../terminal/output.ts'
import { type HugePages, reserveHugePages } from './huge-pages.ts'
import { driverOptionsOf, type PeerForward, TESTPMD_HUGE_MIB } from './testpmd-arguments.ts'
import { findTestpmd, TestpmdProcess } from './testpmd-process.ts'

/**
 * What measuring against testpmd needs: the binary, memory, a folder for sockets. {@link close} gives all back.
 */
export class TestpmdBench {
  readonly #binary: string
  readonly #hugePages: HugePages
  readonly #folder = makeTemporary('vring-bench-')
  #sockets = 0

  readonly #driverCpu: number

  /**
   * @param driverCpu the CPU that drivers run on
   * @param processes testpmd processes there will be at once
   * @throws BenchError with exit code 4: testpmd is missing
   */
  constructor(driverCpu: number, processes: number) {
    this.#binary = findTestpmd()
    this.#driverCpu = driverCpu
    this.#hugePages = reserveHugePages(processes * TESTPMD_HUGE_MIB)
  }

  /** True: on huge pages; false: --no-huge. */
  get onHugePages(): boolean {
    return this.#hugePages.available
  }

  /** Gives huge pages and files back. A second call does nothing. */
  close(): void {
    this.#hugePages.giveBack()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** A path for a socket, in a folder that goes with this. */
  socket(): string {
    return join(this.#folder, `${this.#sockets++}.sock`)
  }

  /** Starts a driver that connects to `socket`, unless it sends into nothing. */
  startDriver(socket: string, spec: CellSpec, forward: PeerForward): TestpmdProcess {
    return new TestpmdProcess({
      binary: this.#binary,
      role: 'driver',
      socket,
      cpu: this.#driverCpu,
      queueSize: spec.queueSize,
      frameBytes: spec.frameBytes,
      hugePages: this.onHugePages,
      forward,
      driver: driverOptionsOf(spec),
    })
  }
}
