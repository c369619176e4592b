import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { cpus, loadavg, type as osType, release } from 'node:os'
import { dirname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type MachineProfile, measureMachine } from '../machine/measure-machine.ts'

/** The machine and software that a run was measured on. */
export interface Environment {
  cpu: string
  /** Logical processors that this process may use. */
  cores: number
  kernel: string
  node: string
  v8: string
  /** What the kernel says of each CPU vulnerability: empty where it does not say. */
  mitigations: Record<string, string>
  /** Load average of the last minute. */
  loadBefore: number
  loadAfter: number
  /** Share of CPU time that a hypervisor kept from this machine during the run, 0 to 1; null where unknown. */
  steal: number | null
  /** Why figures of this run are to be taken with care; empty when nothing spoke against it. */
  busy: string[]
  /** `commit` or `commit+changes` of the checkout that the program is from, wherever it is run; null: it is installed. */
  git: string | null
  /** What barriers, masks and locks cost on this processor. */
  machine: MachineProfile
}

/** CPU time since boot, in clock ticks. */
interface CpuTimes {
  readonly total: number
  readonly steal: number
}

const VULNERABILITIES = '/sys/devices/system/cpu/vulnerabilities'

/** Looks at the machine now; {@link finishEnvironment} completes it when the run is over. */
export function startEnvironment(): { environment: Environment; times: CpuTimes | null } {
  const processors = cpus()
  const environment: Environment = {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    kernel: `${osType()} ${release()}`,
    node: process.version,
    v8: process.versions.v8,
    mitigations: readMitigations(VULNERABILITIES),
    loadBefore: round2(loadavg()[0]!),
    loadAfter: 0,
    steal: null,
    busy: [],
    git: describeCheckout(),
    machine: measureMachine(),
  }
  return { environment, times: readCpuTimes() }
}

/** Adds the load and steal of the run and says whether the machine was busy with something else. */
export function finishEnvironment(start: { environment: Environment; times: CpuTimes | null }): Environment {
  const { environment, times } = start
  const now = readCpuTimes()
  const loadAfter = round2(loadavg()[0]!)
  const steal = times === null || now === null ? null : stolenShare(times, now)
  return { ...environment, loadAfter, steal, busy: busyReasons(environment.loadBefore, steal) }
}

/**
 * Reasons to call the machine busy: load of other processes before the run began, or CPU time stolen by the hypervisor
 * during it. The bench itself adds about one runnable process to the load.
 */
export function busyReasons(loadBefore: number, steal: number | null): string[] {
  const reasons: string[] = []
  if (loadBefore > 0.5) reasons.push(`load was ${loadBefore} before the run began`)
  if (steal !== null && steal > 0.01)
    reasons.push(`${(100 * steal).toFixed(1)} % of CPU time was stolen by the hypervisor`)
  return reasons
}

/** `{ spectre_v1: 'Mitigation: ...', ... }` */
export function readMitigations(directory: string): Record<string, string> {
  if (!existsSync(directory)) return {}
  const entries: [string, string][] = []
  for (const name of readdirSync(directory).sort()) {
    try {
      entries.push([name, readFileSync(join(directory, name), 'utf8').trim()])
    } catch {
      entries.push([name, 'unreadable'])
    }
  }
  return Object.fromEntries(entries)
}

/** The first line of /proc/stat: user nice system idle iowait irq softirq steal ... */
export function parseCpuTimes(stat: string): CpuTimes | null {
  const fields = /^cpu +(.*)$/m.exec(stat)?.[1]?.split(' ').map(Number)
  if (fields === undefined || fields.length < 8 || fields.some(Number.isNaN)) return null
  return { total: fields.slice(0, 8).reduce((sum, ticks) => sum + ticks, 0), steal: fields[7]! }
}

function readCpuTimes(): CpuTimes | null {
  try {
    return parseCpuTimes(readFileSync('/proc/stat', 'utf8'))
  } catch {
    return null
  }
}

function stolenShare(before: CpuTimes, after: CpuTimes): number {
  const total = after.total - before.total
  return total <= 0 ? 0 : Math.round((10_000 * (after.steal - before.steal)) / total) / 10_000
}

function describeCheckout(): string | null {
  const cwd = dirname(fileURLToPath(import.meta.url))
  // Installed, what is around it is a checkout of something else.
  if (cwd.split(sep).includes('node_modules')) return null
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 5000 }).trim()
  try {
    const commit = git('rev-parse', '--short=12', 'HEAD')
    return git('status', '--porcelain', '--untracked-files=no') === '' ? commit : `${commit}+changes`
  } catch {
    return null
  }
}

function round2(value: number): number {
  return Math.round(100 * value) / 100
}
