import type { VringError } from '@vring/layout'
import type { RequestName } from './messages.ts'

/** A request that was refused. */
export interface Refusal {
  /** Its name, or null for a number that the protocol does not have. */
  readonly request: RequestName | null
  readonly error: VringError
  /** `answered`: with a failure. `ring`: its ring does not run until it is set up again. `session`: the session ends. */
  readonly ends: 'answered' | 'ring' | 'session'
}

/** Requests that pass on what a guest writes: a bad value is the ring's fault, and not the connection's. */
const OF_THE_GUEST: ReadonlySet<RequestName | null> = new Set<RequestName>([
  'SET_VRING_NUM',
  'SET_VRING_ADDR',
  'SET_VRING_BASE',
  'SET_VRING_KICK',
])
/** How what is wrong with such a value is refused. */
const BAD_VALUE: ReadonlySet<string> = new Set(['ERR_OUT_OF_RANGE', 'ERR_MISALIGNED', 'ERR_OVERLAP'])

/** Is it a guest's value that is refused? Then its ring is what fails, and not the connection. */
export function isOfTheGuest(name: RequestName | null, error: VringError): name is RequestName {
  return OF_THE_GUEST.has(name) && BAD_VALUE.has(error.code)
}
