import { CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, TIMESPEC } from './abi.ts'
import { checked, fixedBytes } from './libc.ts'

/**
 * `monotonic`: wall time since boot. `process`: CPU time of all threads of this process. `thread`: CPU time of the
 * calling thread, which tells a worker that spins from one that sleeps.
 */
export type Clock = 'monotonic' | 'process' | 'thread'

const CLOCK_IDS = {
  monotonic: CLOCK_MONOTONIC,
  process: CLOCK_PROCESS_CPUTIME_ID,
  thread: CLOCK_THREAD_CPUTIME_ID,
} as const

const timespec = fixedBytes(TIMESPEC.size)
const words = new Uint32Array(timespec.buffer)

/**
 * Reads a clock, in nanoseconds. Exact up to 2^53 ns (104 days).
 *
 * @throws VringError ERR_SYSTEM
 */
export function clockNs(clock: Clock): number {
  checked('clock_gettime', (c) => c.clock_gettime(CLOCK_IDS[clock], timespec))
  return (words[1]! * 2 ** 32 + words[0]!) * 1e9 + words[2]!
}
