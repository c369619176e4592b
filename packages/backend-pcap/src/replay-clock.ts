/** Bytes of what threads share of one {@link ReplayClock}: a state, padding, and two times. */
const CLOCK_BYTES = 24
/** States. Times are written by the thread that has made it `CHANGING`. */
const STANDS = 0
const CHANGING = 1
const RUNS = 2
/** Places of the times, in ms: since when it runs, and how long it ran before. */
const SINCE = 1
const BEFORE = 2

/**
 * What ms of `performance.now` lack to be the same time in every thread of the process: its zero is the thread's
 * beginning.
 */
const THREAD_MS = monotonicMs() - performance.now()

/**
 * The one time base of a replay: all its sources share it, in one thread or in several. It runs while a driver receives.
 */
export class ReplayClock {
  /** What another thread makes the same clock of. */
  readonly cells: SharedArrayBuffer
  private readonly nowMs: () => number
  private readonly state: Int32Array
  private readonly times: Float64Array

  /**
   * @param nowMs ms that only grow, the same in every thread; default the system's monotonic clock
   * @param cells of the same clock in another thread; default a clock of its own
   */
  constructor(
    nowMs: () => number = () => THREAD_MS + performance.now(),
    cells: SharedArrayBuffer = new SharedArrayBuffer(CLOCK_BYTES),
  ) {
    this.cells = cells
    this.nowMs = nowMs
    this.state = new Int32Array(cells, 0, 1)
    this.times = new Float64Array(cells)
  }

  /** ms since the first call, without the time between a {@link pause} and the call after it. */
  elapsed(): number {
    const { state, times } = this
    const now = this.nowMs()
    if (Atomics.load(state, 0) === RUNS) return times[BEFORE]! + Math.max(0, now - times[SINCE]!)
    if (Atomics.compareExchange(state, 0, STANDS, CHANGING) === STANDS) {
      times[SINCE] = now
      Atomics.store(state, 0, RUNS)
    }
    return times[BEFORE]!
  }

  /** Stands still until it is asked again: no driver is there. */
  pause(): void {
    const { state, times } = this
    if (Atomics.compareExchange(state, 0, RUNS, CHANGING) !== RUNS) return
    times[BEFORE] = times[BEFORE]! + this.nowMs() - times[SINCE]!
    Atomics.store(state, 0, STANDS)
  }
}

function monotonicMs(): number {
  const [seconds, ns] = process.hrtime()
  return seconds * 1000 + ns / 1e6
}
