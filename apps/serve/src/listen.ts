import { chmodSync, chownSync, statSync } from 'node:fs'
import { duplicateFd, PollSet, UnixListener } from '@vring/linux'
import type { ServeConfig } from './serve-config.ts'
import { startError } from './serve-error.ts'
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
 * Makes the socket of a device, with its permissions, before a driver can connect.
 *
 * @throws ServeError naming the argument
 */
export function openSocket(config: ServeConfig): OpenedSocket {
  const { fd, role, socket, socketMode, socketGroup } = config
  if (fd !== null || role === 'client') return { fd, waits: () => false, close: () => {} }
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
    const poll = new PollSet()
    poll.watch([listener.fd])
    // The worker closes its own.
    return { fd: duplicateFd(listener.fd), waits: () => poll.wait(0) > 0, close: () => listener.close() }
  } catch (error) {
    listener.close()
    throw error instanceof Error && 'exitCode' in error ? error : startError('--socket-group', error)
  }
}
