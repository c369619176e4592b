import { readFileSync } from 'node:fs'
import { F_GET_SEALS, F_GETPIPE_SZ } from '../abi.ts'
import { fixedBytes, libc } from '../libc.ts'
import { fileSystemOf, isLocalFileSystem } from './fd.ts'

// What a descriptor of another process is, found without asking its file system: fstat(2) and fstatfs(2) of a file of
// FUSE are answered by its server, and one that doesn't answer holds the thread that asks, beyond the reach of SIGKILL.

const link = fixedBytes(16)

/** How what /proc says of a descriptor begins; that of a file of some file system is a path. Source: Linux `d_path`. */
function linkBegins(fd: number, text: string): boolean {
  const length = libc().readlink(`/proc/self/fd/${fd}`, link, link.length)
  if (length < text.length) return false
  for (let i = 0; i < text.length; i++) if (link[i] !== text.charCodeAt(i)) return false
  return true
}

/** Is the descriptor a socket? */
export function isSocket(fd: number): boolean {
  return linkBegins(fd, 'socket:[')
}

/** Is the descriptor a pipe: one without a name, or one whose name is in a local file system? */
export function isPipe(fd: number): boolean {
  if (libc().fcntl(fd, F_GETPIPE_SZ, 0) < 0) return false
  return linkBegins(fd, 'pipe:[') || isLocalFileSystem(mountedFileSystem(fd))
}

/** Is the descriptor a regular file of tmpfs (memfd too) or hugetlbfs? Only these have seals, if none are set. */
export function isMemoryFile(fd: number): boolean {
  return libc().fcntl(fd, F_GET_SEALS, 0) >= 0
}

/**
 * The file system that a descriptor's file is in, by name. For a file of tmpfs or hugetlbfs it is always known, for
 * others as the mounts of this process tell. `null` is a file of a mount that another namespace has, and what has no
 * file system at all.
 */
export function fileSystemName(fd: number): string | null {
  return isMemoryFile(fd) ? fileSystemOf(fd).name : mountedFileSystem(fd)
}

/** Does closing it return at once: an eventfd, a pipe, a file that is memory? */
export function closesAtOnce(fd: number): boolean {
  return linkBegins(fd, 'anon_inode:[even') || isMemoryFile(fd) || libc().fcntl(fd, F_GETPIPE_SZ, 0) >= 0
}

/** Source: Linux, proc_pid_mountinfo(5). */
function mountedFileSystem(fd: number): string | null {
  try {
    const [, id] = /^mnt_id:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))!
    const mounts = readFileSync('/proc/self/mountinfo', 'latin1').split('\n')
    const mount = mounts.find((line) => line.startsWith(`${id} `))
    const [, name] = / - (\S+) /.exec(mount ?? '') ?? [null, null]
    return name === 'overlay' ? 'overlayfs' : (name ?? null)
  } catch {
    return null
  }
}
