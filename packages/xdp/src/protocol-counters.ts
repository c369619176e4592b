/** Frames by IP protocol number, exact up to 2^53: the `rxcnt` map of the kernel's samples. */
export type ProtocolCounters = Float64Array

/** 256 counters, all zero. */
export function protocolCounters(): ProtocolCounters {
  return new Float64Array(256)
}

/**
 * The lines that the kernel's xdp1 prints every second: one for each protocol that moved, `proto 17:   10000000 pkt/s`.
 * Source: Linux 5.0 samples/bpf/xdp1_user.c, poll_stats.
 *
 * @param seconds time between the two snapshots
 * @returns lines without line ends, by protocol number
 */
export function formatRates(previous: ArrayLike<number>, current: ArrayLike<number>, seconds: number): string[] {
  const lines: string[] = []
  for (let protocol = 0; protocol < current.length; protocol++) {
    const frames = current[protocol]! - (previous[protocol] ?? 0)
    if (frames > 0) lines.push(`proto ${protocol}: ${String(Math.floor(frames / seconds)).padStart(10)} pkt/s`)
  }
  return lines
}
