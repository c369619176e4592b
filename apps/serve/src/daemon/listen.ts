import { chmodSync, chownSync, statSync } from 'node:fs'
import { duplicateFd, PollSet, UnixListener } from '@vring/linux'
import type { ServeConfig } from '../config/serve-config.ts'
import { startError } from '../serve-error.ts'
import { checkedSocket } from './launch.ts'
import { groupId } from './user-names.ts'

/** What the worker takes its drivers from. */
export interface OpenedSocket {
  /** Descriptor for the worker, or null: it connects to a path. */
  readonly fd: number | null
  /** Does a driver wait to be accepted? */
  waits(): boolean
  close(): void
}

/**
 * Makes the socket of a device, with its permissions, before a driver can connect; or takes one that is open already.
 *
 * @throws ServeError naming the argument
 */
export function openSocket(config: ServeConfig): OpenedSocket {
  const { fd, role, socket, socketMode, socketGroup } = config
  // One that is connected is served once; one that listens outlives the worker: the device may be begun again.
  if (fd !== null)
    return checkedSocket('--fd', fd) === 'connected'
      ? { fd, waits: () => false, close: () => {} }
      : forWorker(fd, () => {})
  if (role === 'client') return { fd, waits: () => false, close: () => {} }
  const before = socketMode === null ? null : process.umask(0o777 & ~socketMode)
  let listener: UnixListener
  try {
    listener = UnixListener.listen(socket)
  } catch (error) {
    throw startError('--socket', error)
  } finally {
    if (before !== null) process.umask(before)
  }
  try {
    if (socketMode !== null) chmodSync(socket, socketMode)
    if (socketGroup !== null) chownSync(socket, statSync(socket).uid, groupId('--socket-group', socketGroup))
    return forWorker(listener.fd, () => listener.close())
  } catch (error) {
    listener.close()
    throw error instanceof Error && 'exitCode' in error ? error : startError('--socket-group', error)
  }
}

/** A socket that listens: the worker closes a descriptor of its own. */
function forWorker(listening: number, close: () => void): OpenedSocket {
  const poll = new PollSet()
  poll.watch([listening])
  return { fd: duplicateFd(listening), waits: () => poll.wait(0) > 0, close }
}
