import { createHistogram } from 'node:perf_hooks'
import type { LatencySnapshot } from './snapshot.ts'

/** Durations in an HdrHistogram, three significant digits. */
export class Latency {
  private readonly histogram = createHistogram()

  /** @param ms from two readings of `performance.now()`; less than 1 ns counts as 1 ns */
  record(ms: number): void {
    this.histogram.record(Math.max(1, Math.round(ms * 1e6)))
  }

  snapshot(): LatencySnapshot {
    const { histogram } = this
    const { count, mean, max } = histogram
    if (count === 0) return { count: 0, sum: 0, p50: 0, p90: 0, p99: 0, max: 0 }
    return {
      count,
      sum: mean * count,
      p50: histogram.percentile(50),
      p90: histogram.percentile(90),
      p99: histogram.percentile(99),
      max,
    }
  }
}
