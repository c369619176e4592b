import { unshareNetwork } from '@vring/linux'

let entered = false

/**
 * Puts this process into a network namespace of its own, once: its devices are its own, no name is taken, and all of
 * them go with the process, whatever ends that.
 *
 * @throws VringError ERR_SYSTEM: EPERM
 */
export function enterPrivateNetwork(): void {
  if (entered) return
  unshareNetwork()
  entered = true
}
