import { readFileSync } from 'node:fs'
import { affinity, unsupportedHost } from '@vring/linux'
import { missingError } from '../bench-error.ts'
import { type Interval, median } from '../stats/index.ts'
import { type ClassBounds, classOf, isAtBound } from './classes.ts'
import { CoreProbe, type RoundTrip } from './core-probe.ts'

/** The round trip between two CPUs, over some measurements. */
export interface CorePair {
  readonly cpus: readonly [number, number]
  /** ns: median, least and most; null: it could not be measured. */
  readonly ns: Interval | null
  readonly class: 'near' | 'between' | 'far' | 'unknown'
  /** Are they two threads of one core, which share its execution units? */
  readonly siblings: boolean
  /** Why it could not be measured. */
  readonly reason?: string
}

/** All pairs of the CPUs that this process may use. */
export interface CoreMatrix {
  readonly cpus: readonly number[]
  readonly pairs: readonly CorePair[]
  /** The two to use for a driver and a device; null: none could be measured. */
  readonly use: CorePair | null
  readonly bounds: ClassBounds
  readonly rounds: number
  readonly method: RoundTrip['method']
  readonly fifo: boolean
  /** Did a pair change its round trip while it was measured? */
  readonly moved: boolean
  /** Pairs whose round trip is so near to a bound that its class is chance. */
  readonly atBound: number
}

/** Between two rounds, ms: a hypervisor moves CPUs every few seconds. */
const PAUSE_MS = 200
/** Most by least of the round trips of one pair, from which on its CPUs were moved. */
const MOVED = 1.6

/**
 * Measures the round trip between every two CPUs, `rounds` times.
 *
 * @throws BenchError with exit code 4: there are no two CPUs
 */
export async function measureCores(rounds: number, bounds: ClassBounds): Promise<CoreMatrix> {
  const cpus = usableCpus()
  if (cpus.length < 2) throw missingError('a second CPU', 'a cache line needs two cores to go to and fro')
  const pairs = cpus.flatMap((cpu, index) => cpus.slice(index + 1).map((other): [number, number] => [cpu, other]))
  const seen = pairs.map((): RoundTrip[] => [])
  const probe = await CoreProbe.start()
  try {
    for (let round = 0; round < rounds; round++) {
      if (round > 0) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
      for (const [index, [cpu, other]] of pairs.entries()) seen[index]!.push(await probe.roundTrip(cpu, other))
    }
  } finally {
    await probe.close()
  }
  return coreMatrix(
    cpus,
    pairs.map((two, index) => corePair(two, seen[index]!, bounds)),
    { bounds, rounds, trips: seen.flat() },
  )
}

/** CPUs of this process, ascending; none where the host has no such calls. */
export function usableCpus(): number[] {
  return unsupportedHost() === null ? affinity() : []
}

/** One pair from its round trips. */
export function corePair(cpus: readonly [number, number], trips: readonly RoundTrip[], bounds: ClassBounds): CorePair {
  const ns = trips.flatMap((trip) => trip.ns ?? [])
  const siblings = areSiblings(cpus)
  if (ns.length === 0) {
    const reason = trips[0]?.reason ?? 'not measured'
    return { cpus, ns: null, class: 'unknown', siblings, reason }
  }
  const middle = median(ns)
  return {
    cpus,
    ns: { median: middle, low: Math.min(...ns), high: Math.max(...ns) },
    class: classOf(middle, bounds),
    siblings,
  }
}

/** What the pairs say together. */
export function coreMatrix(
  cpus: readonly number[],
  pairs: readonly CorePair[],
  { bounds, rounds, trips }: { bounds: ClassBounds; rounds: number; trips: readonly RoundTrip[] },
): CoreMatrix {
  const measured = pairs.filter(({ ns }) => ns !== null)
  const nearest = (candidates: readonly CorePair[]): CorePair | null =>
    candidates.reduce<CorePair | null>(
      (best, pair) => (best === null || pair.ns!.median < best.ns!.median ? pair : best),
      null,
    )
  return {
    cpus,
    pairs,
    // Two threads of one core are nearest, and take each other's execution units.
    use: nearest(measured.filter(({ siblings }) => !siblings)) ?? nearest(measured),
    bounds,
    rounds,
    method: trips.find(({ method }) => method !== null)?.method ?? null,
    fifo: trips.some(({ ns }) => ns !== null) && trips.every(({ ns, fifo }) => ns === null || fifo),
    moved: measured.some(({ ns }) => ns!.high > MOVED * ns!.low),
    atBound: measured.filter(({ ns }) => isAtBound(ns!.median, bounds)).length,
  }
}

function areSiblings([cpu, other]: readonly [number, number]): boolean {
  try {
    const list = readFileSync(`/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`, 'utf8')
    return list
      .trim()
      .split(',')
      .some((part) => {
        const [first = Number.NaN, last = first] = part.split('-').map(Number)
        return other >= first && other <= last
      })
  } catch {
    return false
  }
}
