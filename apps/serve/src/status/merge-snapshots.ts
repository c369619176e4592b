import { addCounts, type Counts } from './counts.ts'
import type { Snapshot } from './snapshot.ts'

/**
 * The snapshot of a device from those of its threads, by thread; of the first, the home of its sessions, is what is the
 * session's. Pair p is that of thread p modulo `threads`; of a thread that has ended there is none.
 */
export function mergeSnapshots(parts: readonly (Snapshot | undefined)[]): Snapshot {
  const home = parts[0]!
  const others = parts.slice(1).filter((one) => one !== undefined)
  const all = [home, ...others]
  const sum = (field: 'notifications' | 'wakeups'): number => all.reduce((total, one) => total + one[field], 0)
  const counts = (field: 'broken' | 'accesses'): Counts => total(all.map((one) => one[field]))
  return {
    ...home,
    pairs: home.pairs.map((own, pair) => parts[pair % parts.length]?.pairs[pair] ?? own),
    captures: all.flatMap(({ captures }) => captures),
    verdicts: home.verdicts === null ? null : total(all.map(({ verdicts }) => verdicts ?? {})),
    programCounts: home.programCounts === null ? null : total(all.map(({ programCounts }) => programCounts ?? {})),
    queues: all.flatMap(({ queues }) => queues).sort((one, other) => one.index - other.index),
    broken: counts('broken'),
    accesses: counts('accesses'),
    notifications: sum('notifications'),
    wakeups: sum('wakeups'),
    threads: all.flatMap(({ threads }) => threads),
  }
}

function total(all: readonly Counts[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const one of all) addCounts(counts, one)
  return counts
}
