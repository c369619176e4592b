/** Runs of an action in one reading, and readings in one window; odd, for a median. */
const RUNS = 256
const READINGS = 7
/** Windows until an action counts as one that allocates: optimised code of a slow machine is there long before. */
const WINDOWS_MAX = 400
/** Windows in a row that show an action to be clean. */
const CLEAN_WINDOWS = 3
/**
 * Bytes a run that are the engine's own. They are doubles that it boxes, 16 bytes each. That happens where the code
 * around an access has served so many accessors that it is not inlined. A record of three fields is no larger: a
 * smaller one is not told from them.
 */
const BOXED_BYTES_MAX = 96
/** The same of a reading. */
const CLEAN_BYTES_MAX = BOXED_BYTES_MAX * RUNS

/** Node's `process`, as far as it is used; other engines may have none, or one that does not say. */
interface Process {
  memoryUsage?(): { readonly heapUsed: number }
}

/**
 * Does a repeated action allocate? Its first runs may, as an engine keeps doubles on the heap until it optimises. An
 * action is clean as soon as a few windows in a row leave the heap as it is, but for {@link BOXED_BYTES_MAX}. Two
 * figures decide: the median of the readings of each, which collections and compilations disturb singly, and the sum of
 * all. V8 takes room for what it expects to live long by the page, so that most readings do not see it.
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
    // Several looks: a collection may fall into one.
    for (let look = 0; look < 10; look++)
      if (median(meter.readingsOf(makeGarbage)) >= RUNS && Math.abs(median(meter.readingsOf(makeNothing))) < RUNS)
        return meter
    return null
  }

  /**
   * Bytes a run that `action`, which is told how many runs to make, still allocates after many; 0: none but boxed
   * doubles.
   */
  allocates(action: (runs: number) => void): number {
    let most = 0
    let clean = 0
    let sum = 0
    for (let window = 0; window < WINDOWS_MAX; window++) {
      const readings = this.readingsOf(action)
      const bytes = median(readings)
      most = Math.max(most, bytes)
      sum += readings.reduce((all, reading) => all + reading, 0)
      // A heap that shrinks says nothing: garbage is being swept.
      const undisturbed =
        Math.abs(bytes) <= CLEAN_BYTES_MAX && Math.abs(sum) <= (clean + 1) * READINGS * CLEAN_BYTES_MAX
      clean = undisturbed ? clean + 1 : 0
      if (clean === CLEAN_WINDOWS) return 0
      if (clean === 0) sum = 0
    }
    return Math.max(1, Math.round(most / RUNS))
  }

  private readingsOf(action: (runs: number) => void): number[] {
    return Array.from({ length: READINGS }, () => {
      const before = this.#read()
      action(RUNS)
      return this.#read() - before - this.#cost
    })
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
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}
