import { constants } from 'node:os'
import { isVringError, VringError } from '@vring/layout'

/** Names of positive errno values, as `errno.h` of this platform spells them. */
const names = new Map<number, string>([
  ...Object.entries(constants.errno).map(([name, errno]): [number, string] => [errno, name]),
  // Numbers with two names, by the one that manual pages use; and one that Node does not know.
  [constants.errno.EAGAIN, 'EAGAIN'],
  [constants.errno.EOPNOTSUPP, 'EOPNOTSUPP'],
  [77, 'EBADFD'],
])

/** The name of a positive errno (`ENOENT`), or its number where the platform has no name for it. */
export function systemErrnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`
}

/**
 * A failed system call: `field` is the call, `value` the errno's name.
 *
 * @param call the system call, as its manual page is titled
 * @param errno positive, as `errno(3)` gives it
 * @param detail what it was called for, for people
 */
export function systemError(call: string, errno: number, detail = ''): VringError {
  const name = systemErrnoName(errno)
  return new VringError('ERR_SYSTEM', `${call}: ${name}${detail === '' ? '' : ` (${detail})`}`, {
    field: call,
    value: name,
  })
}

/** The errno name that a {@link systemError} carries (`EAGAIN`), or null for any other error. */
export function systemErrnoOf(error: unknown): string | null {
  return isVringError(error) && error.code === 'ERR_SYSTEM' && typeof error.value === 'string' ? error.value : null
}
