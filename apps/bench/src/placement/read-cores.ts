import type { Arguments } from '../arguments.ts'
import { missingError, usageError } from '../bench-error.ts'
import { usableCpus } from './core-matrix.ts'
import type { Cores } from './core-watch.ts'

/**
 * `--cores 0,1`: the CPU of the driver and that of the device; default: the first two that this process may use.
 *
 * @param needed some cell can't do without; else null where there are no two
 * @throws BenchError with exit code 2; 4: a second CPU is missing
 */
export function readCores(args: Arguments, needed: boolean, cpus: readonly number[] = usableCpus()): Cores | null {
  const given = args.integers('cores', 0, 1023)
  if (given !== null) {
    const [driver, device] = given
    if (driver === undefined || device === undefined || given.length !== 2)
      throw usageError('--cores', `${given.join(',')} is not accepted; accepted: two CPUs, driver and device`)
    for (const cpu of given)
      if (!cpus.includes(cpu))
        throw usageError('--cores', `CPU ${cpu} is not one of this process; accepted: ${cpus.join(', ') || 'none'}`)
    return [driver, device]
  }
  const [driver, device] = cpus
  if (driver !== undefined && device !== undefined) return [driver, device]
  if (needed) throw missingError('a second CPU', 'driver and device need one each')
  return null
}
