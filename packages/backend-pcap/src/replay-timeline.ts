/**
 * When the packets of a capture are due, ms after its first one, from the times in it. Those are input: they may be missing,
 * run backwards, or lie in another century.
 *
 * - A gap is at most `maxGapMs`; a longer one counts as that.
 * - A packet that is earlier than one before it, as captures of several interfaces have them, is due with that one. A
 *   packet that is earlier by more than `maxGapMs` begins a new count, as the clock was set or the time before it was
 *   wrong.
 * - A packet without a time has that of the one before it.
 */
export class ReplayTimeline {
  /** When the current packet is due, ms after the first. */
  due = 0
  /** Gaps that were shortened. */
  shortened = 0
  private readonly maxGapMs: number
  /** The latest time so far, ms since 1970; NaN: none. */
  private latest = Number.NaN

  constructor(maxGapMs: number) {
    this.maxGapMs = maxGapMs
  }

  /** Goes on to the next packet. @param timeMs ms since 1970, or NaN */
  advance(timeMs: number): void {
    if (!Number.isFinite(timeMs)) return
    if (Number.isNaN(this.latest)) {
      this.latest = timeMs
      return
    }
    const gap = timeMs - this.latest
    if (gap < 0 && gap >= -this.maxGapMs) return
    this.latest = timeMs
    if (gap > this.maxGapMs) this.shortened++
    this.due += Math.min(Math.max(gap, 0), this.maxGapMs)
  }
}
