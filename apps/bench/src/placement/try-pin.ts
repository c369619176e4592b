import { setAffinity } from '@vring/linux'

/**
 * Puts the calling thread on one CPU, if it may be put there. One that may not runs wherever the kernel puts it. The
 * round trip between these CPUs can't be measured then either. The results say so, and their class is unknown.
 *
 * @returns whether it is there
 */
export function tryPin(cpu: number): boolean {
  try {
    setAffinity([cpu])
    return true
  } catch {
    return false
  }
}
