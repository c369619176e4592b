import { unixStreamState } from '@vring/linux'
import { usageError } from '../serve-error.ts'

/** First descriptor that a service manager hands over. Source: sd_listen_fds(3). */
const SD_LISTEN_FDS_START = 3

/** `--print-capabilities`, as the vhost-user document's chapter "Backend program conventions" has it. */
export function capabilities(): string {
  return `${JSON.stringify({ type: 'net' })}\n`
}

/**
 * The socket that a service manager hands over by `LISTEN_FDS` and `LISTEN_PID`, or null: it handed over none.
 *
 * @throws ServeError when there are several, or it is none that listens
 */
export function activatedSocket(env: Readonly<Record<string, string | undefined>>, pid: number): number | null {
  if (env.LISTEN_FDS === undefined || env.LISTEN_PID !== String(pid)) return null
  if (env.LISTEN_FDS !== '1')
    throw usageError('LISTEN_FDS', `${env.LISTEN_FDS} sockets were handed over; accepted: 1, one unit for each device`)
  checkedSocket('LISTEN_FDS', SD_LISTEN_FDS_START)
  return SD_LISTEN_FDS_START
}

/**
 * A descriptor that is an AF_UNIX stream socket.
 *
 * @throws ServeError naming the argument
 */
export function checkedSocket(argument: string, fd: number): 'listening' | 'connected' {
  let state: ReturnType<typeof unixStreamState>
  try {
    state = unixStreamState(fd)
  } catch {
    state = 'other'
  }
  if (state === 'other') throw usageError(argument, `descriptor ${fd} is no AF_UNIX stream socket`)
  return state
}
