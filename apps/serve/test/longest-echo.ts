import { readdirSync, readFileSync } from 'node:fs'
import type { DaemonProcess } from './daemon-process.ts'
import { sleep } from './raw-frontend.ts'

/** ms that each thread of a process was ready to run and waited for a processor. Source: Linux, sched-stats.rst. */
function processorWaits(pid: number | 'self'): Map<string, number> {
  const waits = new Map<string, number>()
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const [, waited] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')
      waits.set(thread, Number(waited) / 1e6)
    } catch {
      // It ended meanwhile, or the kernel keeps no such statistics.
    }
  }
  return waits
}

/** The most that one thread has waited since. */
function waitedSince(before: ReadonlyMap<string, number>, pid: number | 'self'): number {
  let most = 0
  for (const [thread, waited] of processorWaits(pid)) most = Math.max(most, waited - (before.get(thread) ?? waited))
  return most
}

/**
 * An echo, and how long a thread of driver or daemon waited for a processor meanwhile: what is left is their own. Both
 * in ms.
 */
export interface Echo {
  readonly ms: number
  readonly waitedMs: number
}

/**
 * The longest of the echoes of some time.
 *
 * @param echo makes one; its ms
 * @param ms how long
 */
export async function longestEcho(
  echo: (mark: number) => Promise<number>,
  daemon: DaemonProcess,
  ms: number,
): Promise<Echo> {
  const pid = daemon.child.pid!
  let longest: Echo = { ms: 0, waitedMs: 0 }
  for (const end = performance.now() + ms; performance.now() < end; await sleep(10)) {
    const [mine, its] = [processorWaits('self'), processorWaits(pid)]
    const took = await echo(Math.floor(longest.ms))
    if (took <= longest.ms) continue
    longest = { ms: took, waitedMs: waitedSince(mine, 'self') + waitedSince(its, pid) }
  }
  return longest
}

export function echoText({ ms, waitedMs }: Echo): string {
  return `longest echo ${ms.toFixed(1)} ms, in which threads waited ${waitedMs.toFixed(1)} ms for a processor`
}
