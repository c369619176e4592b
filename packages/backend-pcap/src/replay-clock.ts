/** The one time base of a replay: all its sources share it. It runs while a driver receives. */
export class ReplayClock {
  private readonly nowMs: () => number
  /** When it began to run, or NaN: it stands still. */
  private since = Number.NaN
  /** ms that it ran before. */
  private before = 0

  /** @param nowMs ms that only grow; default `performance.now` */
  constructor(nowMs: () => number = () => performance.now()) {
    this.nowMs = nowMs
  }

  /** ms since the first call, without the time between a {@link pause} and the call after it. */
  elapsed(): number {
    const now = this.nowMs()
    if (Number.isNaN(this.since)) this.since = now
    return this.before + now - this.since
  }

  /** Stands still until it is asked again: no driver is there. */
  pause(): void {
    if (Number.isNaN(this.since)) return
    this.before += this.nowMs() - this.since
    this.since = Number.NaN
  }
}
