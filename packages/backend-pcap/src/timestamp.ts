/**
 * Nanoseconds since 1970 as two unsigned 32-bit halves, from a clock in ms; no BigInt, as it is read for every batch. A
 * double of ms since 1970 resolves a quarter of a microsecond.
 */
export class Timestamp {
  high = 0
  low = 0
  private readonly nowMs: () => number

  constructor(nowMs: () => number = wallClockMs) {
    this.nowMs = nowMs
  }

  /** Takes the time. Exact to what the clock gives: milliseconds and nanoseconds are multiplied apart. */
  take(): void {
    const ms = this.nowMs()
    const whole = Math.floor(ms)
    const nanoseconds = Math.round((ms - whole) * NS_PER_MS)
    // whole * 10^6 exceeds 2^53, so its upper and lower 21 bits are multiplied apart.
    const upper = Math.floor(whole / SPLIT) * NS_PER_MS
    const lower = (whole % SPLIT) * NS_PER_MS + nanoseconds
    const rest = (upper % UPPER_UNIT) * SPLIT + lower
    this.high = Math.floor(upper / UPPER_UNIT) + Math.floor(rest / TWO_32)
    this.low = rest % TWO_32
  }
}

const NS_PER_MS = 1_000_000
const TWO_32 = 2 ** 32
const SPLIT = 2 ** 21
/** `upper` counts 2^21 ns, so this many make 2^32 ns. */
const UPPER_UNIT = TWO_32 / SPLIT

function wallClockMs(): number {
  return performance.timeOrigin + performance.now()
}
