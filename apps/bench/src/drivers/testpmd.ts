import { rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { missingError } from '../bench-error.ts'
import { CellFailure } from '../cell-process.ts'
import type { CellSpec } from '../cell-spec.ts'
import { makeTemporary } from '../output.ts'
import { type HugePages, reserveHugePages } from './huge-pages.ts'
import { type PeerForward, TESTPMD_HUGE_MIB } from './testpmd-arguments.ts'
import { findTestpmd, TestpmdProcess } from './testpmd-process.ts'

/** CPUs of driver and device: one each, so that neither waits for the other. */
export const DRIVER_CPU = 0
export const DEVICE_CPU = 1

/**
 * What measuring against testpmd needs: the binary, two CPUs, memory, a folder for sockets. {@link close} gives all back.
 */
export class TestpmdBench {
  readonly #binary: string
  readonly #hugePages: HugePages
  readonly #folder = makeTemporary('vring-bench-')
  #sockets = 0

  /** @throws BenchError with exit code 4: testpmd or a second CPU is missing */
  constructor() {
    this.#binary = findTestpmd()
    if (availableParallelism() < 2) throw missingError('a second CPU', 'driver and device need one each')
    // Driver and peer at once.
    this.#hugePages = reserveHugePages(2 * TESTPMD_HUGE_MIB)
  }

  /** True: on huge pages; false: --no-huge. */
  get onHugePages(): boolean {
    return this.#hugePages.available
  }

  /**
   * One trial of a device, against a driver of its own.
   *
   * @param serve serves a driver on this socket; calls `onListening` when the driver may connect
   * @throws CellFailure when the driver ends by itself: the device may still be waiting for it
   */
  async trial<T>(spec: CellSpec, serve: (socket: string, onListening: () => void) => Promise<T>): Promise<T> {
    const socket = this.#socket()
    let driver: TestpmdProcess | null = null
    let fail = (_: CellFailure): void => {}
    const ended = new Promise<never>((_, reject) => {
      fail = reject
    })
    try {
      const served = serve(socket, () => {
        driver = this.#startDriver(socket, spec, spec.backend === 'loopback' ? 'loopback' : 'drop')
        driver.onEnd(({ message }) => fail(new CellFailure(message)))
      })
      return await Promise.race([served, ended])
    } finally {
      await (driver as TestpmdProcess | null)?.stop()
    }
  }

  /**
   * Does `work` while the driver's CPU is as busy as in a trial: two CPUs may be threads of one core, and then a driver takes
   * from the device's speed just by running.
   */
  async beside<T>(spec: CellSpec, work: () => Promise<T>): Promise<T> {
    const driver = this.#startDriver(this.#socket(), spec, 'nowhere')
    try {
      return await work()
    } finally {
      await driver.stop()
    }
  }

  /** Gives huge pages and files back. A second call does nothing. */
  close(): void {
    this.#hugePages.giveBack()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #socket(): string {
    return join(this.#folder, `${this.#sockets++}.sock`)
  }

  #startDriver(socket: string, spec: CellSpec, forward: PeerForward): TestpmdProcess {
    return new TestpmdProcess({
      binary: this.#binary,
      role: 'driver',
      socket,
      cpu: DRIVER_CPU,
      queueSize: spec.queueSize,
      frameBytes: spec.frameBytes,
      hugePages: this.onHugePages,
      forward,
    })
  }
}
