import { readdirSync, readFileSync } from 'node:fs'
import type { DaemonProcess } from './daemon-process.ts'
import { type RawFrontend, sleep } from './raw-frontend.ts'

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
 * The longest echo on a pair, for some time, in ms, and how long a thread of driver or daemon waited for a processor
 * meanwhile: what is left is the daemon's and the driver's own.
 */
export async function longestEcho(
  driver: RawFrontend,
  daemon: DaemonProcess,
  pair: number,
  ms: number,
): Promise<string> {
  const pid = daemon.child.pid!
  let [longest, waited] = [0, 0]
  for (const end = performance.now() + ms; performance.now() < end; await sleep(10)) {
    const [mine, its] = [processorWaits('self'), processorWaits(pid)]
    const took = await driver.echo(pair, Math.floor(longest))
    if (took <= longest) continue
    longest = took
    waited = waitedSince(mine, 'self') + waitedSince(its, pid)
  }
  return `longest echo ${longest.toFixed(1)} ms, in which threads waited ${waited.toFixed(1)} ms for a processor`
}
