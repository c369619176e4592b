import { checked, fixedBytes } from '../libc.ts'

const SOL_SOCKET = 1
const SO_TYPE = 3
const SO_PEERCRED = 17
const SO_ACCEPTCONN = 30
const SO_DOMAIN = 39
const AF_UNIX = 1
const SOCK_STREAM = 1

/** Who is at the other end of a connected AF_UNIX socket; 0 where it is in a namespace that this one does not see. */
export interface PeerCredentials {
  readonly pid: number
  readonly uid: number
  readonly gid: number
}

/** @throws VringError ERR_SYSTEM: ENOTSOCK, EBADF */
export function peerCredentials(fd: number): PeerCredentials {
  const [pid, uid, gid] = option(fd, SO_PEERCRED, 3)
  return { pid: pid!, uid: uid!, gid: gid! }
}

/**
 * Is a descriptor an AF_UNIX stream socket, and does it listen?
 *
 * @throws VringError ERR_SYSTEM: ENOTSOCK, EBADF
 */
export function unixStreamState(fd: number): 'listening' | 'connected' | 'other' {
  const [domain] = option(fd, SO_DOMAIN, 1)
  const [type] = option(fd, SO_TYPE, 1)
  if (domain !== AF_UNIX || type !== SOCK_STREAM) return 'other'
  return option(fd, SO_ACCEPTCONN, 1)[0] === 1 ? 'listening' : 'connected'
}

function option(fd: number, name: number, words: number): Int32Array {
  const value = new Int32Array(new ArrayBuffer(4 * words))
  const length = fixedBytes(4)
  new Uint32Array(length.buffer)[0] = 4 * words
  checked(
    'getsockopt',
    (c) => c.getsockopt(fd, SOL_SOCKET, name, new Uint8Array(value.buffer), length),
    `descriptor ${fd}`,
  )
  return value
}
