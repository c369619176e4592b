import type { VringError } from '@vring/layout'
import { MESSAGES, type RequestName } from '../messages/messages.ts'

/** A request that was refused. */
export interface Refusal {
  /** Its name, or null for a number that the protocol does not have. */
  readonly request: RequestName | null
  readonly error: VringError
  /** `answered`: with a failure. `ring`: its ring does not run until it is set up again. `session`: the session ends. */
  readonly ends: 'answered' | 'ring' | 'session'
}

/** How a bad value of a guest's is refused. */
const BAD_VALUE: ReadonlySet<string> = new Set(['ERR_OUT_OF_RANGE', 'ERR_MISALIGNED', 'ERR_OVERLAP'])

/** The ring that fails because its guest's own value was refused; null: it is the connection's fault. */
export function failedRing(name: RequestName | null, payload: Uint8Array, error: VringError): number | null {
  const guestRing = name === null ? null : MESSAGES[name].guestRing
  return guestRing === null || !BAD_VALUE.has(error.code) ? null : guestRing(payload)
}
