import { refused } from '@vring/layout'
import { CPU_SET } from '../abi.ts'
import { checked, fixedBytes } from '../libc.ts'

/** CPUs that a cpu_set_t can name. */
const CPUS_MAX = 8 * CPU_SET.size

/**
 * Lets the calling thread run on these CPUs only.
 *
 * @throws VringError ERR_OUT_OF_RANGE, ERR_SYSTEM (`EINVAL`: none of them exists)
 */
export function setAffinity(cpus: readonly number[]): void {
  const mask = fixedBytes(CPU_SET.size)
  for (const cpu of cpus) {
    if (!Number.isInteger(cpu) || cpu < 0 || cpu >= CPUS_MAX)
      throw refused('ERR_OUT_OF_RANGE', 'cpu', cpu, `an integer from 0 to ${CPUS_MAX - 1}`)
    mask[cpu >> 3]! |= 1 << (cpu & 7)
  }
  checked('sched_setaffinity', (c) => c.sched_setaffinity(0, CPU_SET.size, mask), cpus.join(','))
}

/**
 * CPUs that the calling thread may run on, ascending.
 *
 * @throws VringError ERR_SYSTEM
 */
export function affinity(): number[] {
  const mask = fixedBytes(CPU_SET.size)
  checked('sched_getaffinity', (c) => c.sched_getaffinity(0, CPU_SET.size, mask))
  return Array.from({ length: CPUS_MAX }, (_, cpu) => cpu).filter((cpu) => (mask[cpu >> 3]! >> (cpu & 7)) & 1)
}
