import { checked } from '../libc.ts'

const CLONE_NEWNET = 0x4000_0000

/**
 * Puts the calling thread into a network namespace of its own, empty but for a loopback that is down. Sockets, TAPs and
 * child processes that it makes from now on belong to it; it goes away with the last of them.
 *
 * @throws VringError ERR_SYSTEM: EPERM
 */
export function unshareNetwork(): void {
  checked('unshare', (c) => c.unshare(CLONE_NEWNET), 'CLONE_NEWNET')
}
