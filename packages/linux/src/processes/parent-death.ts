import { PR_SET_PDEATHSIG } from '../abi.ts'
import { checked } from '../libc.ts'

/** SIGKILL, `<signal.h>`: the one signal that also ends a process that is stopped. */
const SIGKILL = 9

/**
 * Ends this process when its parent ends, even while it is stopped (SIGSTOP) and can read no channel that closes.
 *
 * Source: prctl(2), PR_SET_PDEATHSIG. A parent that ended before the call is not noticed: compare `process.ppid` after it.
 *
 * @throws VringError ERR_SYSTEM
 */
export function dieWithParent(): void {
  checked('prctl', (c) => c.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
}
