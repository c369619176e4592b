/** Runs of an action in one reading, and readings in one window; odd, for a median. */
const RUNS = 256
const READINGS = 7
/** Windows until an action counts as one that allocates: optimised code of a slow machine is there long before. */
const WINDOWS_MAX = 400

/** Node's `process`, as far as it is used; other engines may have none, or one that does not say. */
interface Process {
  memoryUsage?(): { readonly heapUsed: number }
}

/**
 * Does a repeated action allocate? Its first runs may, as an engine keeps doubles on the heap until it optimises: an action
 * is clean as soon as one window of it leaves the heap as it is. Collections and compilations disturb single readings, not
 * their median.
 */
export class HeapMeter {
  readonly #read: () => number
  /** What a reading itself takes, bytes. */
  readonly #cost: number

  private constructor(read: () => number) {
    this.#read = read
    this.#cost = median(Array.from({ length: 31 }, () => -read() + read()))
  }

  /** null where the engine does not say what is on its heap, or not to the byte. */
  static create(): HeapMeter | null {
    const { memoryUsage } = (globalThis as { readonly process?: Process }).process ?? {}
    if (memoryUsage === undefined) return null
    const meter = new HeapMeter(() => memoryUsage().heapUsed)
    return meter.bytesOf(makeGarbage) >= RUNS && meter.bytesOf(makeNothing) < RUNS ? meter : null
  }

  /** Bytes a run that `action`, which is told how many runs to make, still allocates after many; 0: none. */
  allocates(action: (runs: number) => void): number {
    let bytes = 0
    for (let window = 0; window < WINDOWS_MAX; window++) {
      bytes = this.bytesOf(action)
      if (bytes < RUNS) return 0
    }
    return Math.round(bytes / RUNS)
  }

  private bytesOf(action: (runs: number) => void): number {
    const readings: number[] = []
    for (let i = 0; i < READINGS; i++) {
      const before = this.#read()
      action(RUNS)
      readings.push(this.#read() - before)
    }
    return median(readings) - this.#cost
  }
}

let kept: object | null = null

function makeGarbage(runs: number): void {
  for (let i = 0; i < runs; i++) kept = { i }
}

function makeNothing(runs: number): void {
  for (let i = 0; i < runs; i++) if (kept === null) return
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!
}
