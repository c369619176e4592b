import type { Arguments } from '../arguments.ts'
import { usageError } from '../bench-error.ts'
import { type ClassBounds, DEFAULT_BOUNDS } from './classes.ts'

/** A round trip beyond this is no cache line, ns. */
const NS_MAX = 100_000

/**
 * `--classes 80,225`: where near ends and where far begins, ns.
 *
 * @throws BenchError with exit code 2
 */
export function readClasses(args: Arguments): ClassBounds {
  const bounds = args.integers('classes', 1, NS_MAX)
  if (bounds === null) return DEFAULT_BOUNDS
  const [nearNs, farNs] = bounds
  if (bounds.length !== 2 || nearNs === undefined || farNs === undefined || nearNs >= farNs)
    throw usageError('--classes', `${bounds.join(',')} is not accepted; accepted: two round trips in ns, ascending`)
  return { nearNs, farNs }
}
