/** Time that work goes on at once, ms. */
const SLICE_MS = 5

/** What this package takes of its surroundings: Node and browsers have it, its library types know neither. */
const surroundings = globalThis as unknown as {
  readonly performance: { now(): number }
  setTimeout(callback: () => void, ms: number): unknown
  /** Node only: after timers and input, without the millisecond that a timer takes at least. */
  readonly setImmediate?: (callback: () => void) => unknown
}

/** Pieces of a walk over instructions after which work may pause: well below a slice, and few enough to cost nothing. */
export const PIECES_BETWEEN_YIELDS = 1024

function turn(resolve: () => void): void {
  if (surroundings.setImmediate === undefined) surroundings.setTimeout(resolve, 0)
  else surroundings.setImmediate(resolve)
}

/** Runs work to its end; after every 5 ms, timers and input of the thread have their turn. */
export async function giveWay<T>(work: Generator<void, T>): Promise<T> {
  let until = surroundings.performance.now() + SLICE_MS
  for (;;) {
    const step = work.next()
    if (step.done) return step.value
    if (surroundings.performance.now() < until) continue
    await new Promise<void>(turn)
    until = surroundings.performance.now() + SLICE_MS
  }
}

/** Runs work to its end at once. */
export function runAtOnce<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next()
    if (step.done) return step.value
  }
}
