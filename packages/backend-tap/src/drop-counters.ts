/** Frames dropped, by reason; a reason appears with its first frame. */
export class DropCounters {
  private readonly counts = new Map<string, number>()

  add(reason: string, frames = 1): void {
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + frames)
  }

  /** A copy. */
  snapshot(): Record<string, number> {
    return Object.fromEntries(this.counts)
  }
}
