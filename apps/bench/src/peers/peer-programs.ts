import { rmSync } from 'node:fs'
import { findTestpmd } from '../drivers/testpmd-process.ts'
import { makeTemporary } from '../terminal/output.ts'
import { compileIoUringPeer } from './compile-io-uring.ts'
import type { PeerName } from './peer-names.ts'
import type { PeerProgram } from './peer-program.ts'

/** The programs of the peers of a run, found or compiled; {@link close} removes what was made. */
export class PeerPrograms {
  readonly #programs = new Map<PeerName, PeerProgram>()
  readonly #folder = makeTemporary('vring-peers-')

  /** @throws BenchError with exit code 4: testpmd or a C compiler is missing */
  constructor(names: readonly PeerName[]) {
    try {
      for (const name of names)
        this.#programs.set(
          name,
          name === 'dpdk' ? { binary: findTestpmd(), version: '' } : compileIoUringPeer(this.#folder),
        )
    } catch (error) {
      this.close()
      throw error
    }
  }

  of(name: PeerName): PeerProgram {
    return this.#programs.get(name)!
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
