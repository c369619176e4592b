import { PollSet } from '@vring/linux'

const nothing = new PollSet()

/** Sleeps; the thread has nothing else to do. */
export function pause(ms: number): void {
  nothing.wait(ms)
}

/**
 * Looks again and again until a condition holds.
 *
 * @returns false when it did not within the time
 */
export function waitFor(condition: () => boolean, timeoutMs: number): boolean {
  const end = performance.now() + timeoutMs
  for (let round = 0; !condition(); round++) {
    if (performance.now() > end) return false
    // A back-end that polls is done in microseconds; one that sleeps needs its processor.
    pause(round < 20 ? 0 : 1)
  }
  return true
}
