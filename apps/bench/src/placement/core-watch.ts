import { readFileSync } from 'node:fs'
import type { ClassBounds } from './classes.ts'
import { CoreProbe, type RoundTrip } from './core-probe.ts'

/** The CPU of the driver, and that of the device. */
export type Cores = readonly [driver: number, device: number]

/** How a run saw where its cores are, as `results.json` has it. */
export interface PlacementResult {
  readonly cores: Cores | null
  readonly method: RoundTrip['method']
  /** Were both ends of every round trip under SCHED_FIFO? */
  readonly fifo: boolean
  readonly bounds: ClassBounds
  /** Does a hypervisor run this machine? Then CPUs may be moved. */
  readonly moves: boolean
  readonly sliceMs: number
  /** Slices that a row needed of its class. */
  readonly needed: number
  readonly patienceMs: number
  /** Why less is known than could be, a line each. */
  readonly notes: readonly string[]
}

/** Looks at the round trip between the two CPUs of a run's cells. */
export class CoreWatch {
  readonly cores: Cores | null
  readonly #probe: CoreProbe | null
  readonly #notes = new Set<string>()
  #method: RoundTrip['method'] = null
  #fifo = true

  private constructor(cores: Cores | null, probe: CoreProbe | null) {
    this.cores = cores
    this.#probe = probe
    if (cores === null) this.#notes.add('one CPU only: nothing can be said of where driver and device are')
  }

  /** @param cores null: there are no two */
  static async start(cores: Cores | null): Promise<CoreWatch> {
    if (cores === null) return new CoreWatch(null, null)
    return new CoreWatch(cores, await CoreProbe.start())
  }

  async roundTrip(): Promise<RoundTrip> {
    if (this.cores === null || this.#probe === null)
      return { ns: null, reason: 'one CPU only', fifo: false, method: null }
    const trip = await this.#probe.roundTrip(...this.cores)
    if (trip.ns === null) this.#notes.add(`round trip not always measured: ${trip.reason}`)
    else {
      this.#method = trip.method
      if (!trip.fifo) this.#withoutFifo()
    }
    return trip
  }

  result(conditions: Pick<PlacementResult, 'bounds' | 'sliceMs' | 'needed' | 'patienceMs'>): PlacementResult {
    return {
      cores: this.cores,
      method: this.#method,
      fifo: this.#fifo && this.#method !== null,
      ...conditions,
      moves: isVirtual(),
      notes: [...this.#notes],
    }
  }

  async close(): Promise<void> {
    await this.#probe?.close()
  }

  #withoutFifo(): void {
    this.#fifo = false
    this.#notes.add(
      'no CAP_SYS_NICE (run as root): round trips were measured at normal priority, beside other programs',
    )
  }
}

/** Is there a hypervisor below this kernel? Source: the CPU flag of that name, CPUID leaf 1, ECX bit 31. */
export function isVirtual(cpuinfo: string = readCpuinfo()): boolean {
  const flags = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]
  // Other processors do not say: they may be moved.
  return flags === undefined || / hypervisor( |$)/.test(flags)
}

function readCpuinfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8')
  } catch {
    return ''
  }
}
