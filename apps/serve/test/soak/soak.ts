import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unshareNetwork } from '@vring/linux'
import { until } from '../daemon-process.ts'
import { interfaces, processesNaming } from '../leftovers.ts'
import type { Actor, Counts } from './actor.ts'
import { Guests, guestsMissing } from './guests.ts'
import { KilledDaemons } from './killed-daemons.ts'
import { KilledDrivers } from './killed-drivers.ts'
import { Neighbours } from './neighbours.ts'

export interface SoakOptions {
  readonly timeMs: number
  readonly seed: number
  /** QEMU and DPDK take part, where they are installed. */
  readonly peers: boolean
  /** Told of each step, for people. */
  readonly log?: (line: string) => void
  /** True: end now, in order. */
  readonly stopped?: () => boolean
}

export interface SoakReport {
  /** For people: what was done, and what was found. */
  readonly lines: readonly string[]
  /** What is wrong; empty: nothing is. */
  readonly failures: readonly string[]
}

type Echo = Neighbours['echoes'][number]
interface Before {
  readonly interfaces: string
  readonly hugePages: string
}

/** Echoes of a third from which medians are compared, and by how much they may differ, ms. */
const ECHOES_MIN = 1000
const SLOWER_MS = 5
/** What of /proc/meminfo a soak leaves as it was. */
const HUGE_PAGES = /^HugePages_Total: +\d+$/gm

/**
 * Runs all actors side by side for a time, and then looks whether anything is left or has grown. In a network namespace
 * of its own, which this thread then stays in. It ends only processes that it started.
 */
export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const { timeMs, seed, peers, log = () => {}, stopped = () => false } = options
  const folder = mkdtempSync(join(tmpdir(), 'vring-soak-'))
  unshareNetwork()
  spawnSync('ip', ['link', 'set', 'lo', 'up'])
  const before = { interfaces: interfaces().join(), hugePages: hugePages() }
  const failures: string[] = []
  const actors: Actor[] = []
  try {
    const neighbours = await Neighbours.start(folder, seed)
    actors.push(neighbours)
    actors.push(await KilledDrivers.start(folder, seed, peers))
    actors.push(new KilledDaemons(folder))
    if (peers && guestsMissing === null) actors.push(await Guests.start(folder))
    if (peers && guestsMissing !== null) log(`no guests: ${guestsMissing}`)
    const begun = performance.now()
    const ended = (): boolean => stopped() || failures.length > 0 || performance.now() >= begun + timeMs
    await Promise.all(
      actors.map(async (actor) => {
        try {
          await actor.run(ended)
        } catch (error) {
          failures.push(`${actor.name}: ${error instanceof Error ? error.message : error}`)
        }
      }),
    )
    const done = actors.splice(0)
    for (const actor of done) failures.push(...(await actor.end()))
    const lines = done.map(({ name, counts }) => `${name}: ${described(counts)}`)
    for (const { daemon } of done) if (daemon !== undefined) lines.push(String(daemon))
    lines.push(...latencyLines(neighbours.echoes, failures), ...(await leftovers(folder, before, failures)))
    return { lines, failures }
  } finally {
    for (const actor of actors) await actor.end().catch(() => {})
    rmSync(folder, { recursive: true, force: true })
  }
}

function described(counts: Counts): string {
  return Object.entries(counts)
    .map(([name, value]) => `${value} ${name}`)
    .join(', ')
}

/** Echoes of the driver that behaves, in the first third and in the last: they must not have become slower. */
function latencyLines(echoes: readonly Echo[], failures: string[]): string[] {
  const third = Math.floor(echoes.length / 3)
  const parts = [echoes.slice(0, third), echoes.slice(-third)].map((part) =>
    part.map(({ ms }) => ms).sort((one, other) => one - other),
  )
  const medians = parts.map((sorted) => quantile(sorted, 0.5))
  if (third >= ECHOES_MIN && medians[1]! > 3 * medians[0]! + SLOWER_MS)
    failures.push(`echoes took ${medians[0]!.toFixed(1)} ms at first and ${medians[1]!.toFixed(1)} ms at the end`)
  const line = (name: string, sorted: readonly number[]): string =>
    `echoes beside attacks, ${name} third: ${sorted.length}, p50 ${quantile(sorted, 0.5).toFixed(1)} ms, ` +
    `p99 ${quantile(sorted, 0.99).toFixed(1)} ms, longest ${quantile(sorted, 1).toFixed(1)} ms`
  return [`frames compared: ${echoes.length}, all the same`, line('first', parts[0]!), line('last', parts[1]!)]
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0
}

/** What is here that was not, and the other way round. */
async function leftovers(folder: string, before: Before, failures: string[]): Promise<string[]> {
  try {
    await until('the end of all processes', () => processesNaming(folder).length === 0)
    await until('the interfaces as they were', () => interfaces().join() === before.interfaces)
    await until('huge pages as they were', () => hugePages() === before.hugePages)
  } catch (error) {
    failures.push((error as Error).message)
    return []
  }
  return ['processes, interfaces, huge pages: as before']
}

function hugePages(): string {
  return (readFileSync('/proc/meminfo', 'utf8').match(HUGE_PAGES) ?? []).join()
}
