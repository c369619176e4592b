import type { Sitting, Slice } from './slice.ts'

/**
 * A driver and a device, which are measured in several sittings: now and then both are ended and connected again, as
 * new processes. Where a process has its pages and what a compiler made of it is worth some percent, and stays for as
 * long as it lives. The slices of one sitting agree with one another, and with no other run.
 */
export class SlicePair<S extends Sitting = Sitting> {
  /** Of all sittings. */
  readonly slices: Slice[] = []
  readonly label: string
  readonly #make: () => S
  #sitting: S
  #number = 0

  /** @param make the processes of a sitting, which {@link Sitting.connect} starts */
  constructor(make: () => S) {
    this.#make = make
    this.#sitting = make()
    this.label = this.#sitting.label
  }

  /** The one that is connected. */
  get sitting(): S {
    return this.#sitting
  }

  /** Which one that is, from 0 on. */
  get number(): number {
    return this.#number
  }

  get failure(): string | null {
    return this.#sitting.failure
  }

  connect(): Promise<void> {
    return this.#sitting.connect()
  }

  /** Ends driver and device, and connects new ones. One that failed stays as it is. */
  async sitAgain(): Promise<void> {
    if (this.failure !== null) return
    await this.#sitting.close()
    this.#sitting = this.#make()
    this.#number++
    await this.#sitting.connect()
  }

  close(): Promise<void> {
    return this.#sitting.close()
  }
}
