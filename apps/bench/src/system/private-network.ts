import { unshareNetwork } from '@vring/linux'

let entered = false

/**
 * Puts this process into a network namespace of its own, once. Its devices are its own, and no name is taken. All of
 * them go with the process, however it ends.
 *
 * @throws VringError ERR_SYSTEM: EPERM
 */
export function enterPrivateNetwork(): void {
  if (entered) return
  unshareNetwork()
  entered = true
}
