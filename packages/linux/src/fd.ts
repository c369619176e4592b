import { fstatSync } from 'node:fs'
import { F_DUPFD_CLOEXEC, F_GETFL, F_SETFL, O_NONBLOCK } from './abi.ts'
import { checked, libc } from './libc.ts'

/**
 * Closes a file descriptor. Never throws: Linux releases the number whatever close(2) returns, and a second try could
 * close somebody else's. Not `fs.closeSync`, which warns in worker threads about descriptors that it did not open.
 */
export function closeFd(fd: number): void {
  if (fd >= 0) libc().close(fd)
}

/**
 * Another number for the same open file, not inherited by child processes.
 *
 * @throws VringError ERR_SYSTEM
 */
export function duplicateFd(fd: number): number {
  return checked('fcntl', (c) => c.fcntl(fd, F_DUPFD_CLOEXEC, 0), `F_DUPFD_CLOEXEC of ${fd}`)
}

/**
 * Makes calls on an open file return EAGAIN where they would wait. It is a property of the open file, so everybody who
 * shares it sees it too.
 *
 * @throws VringError ERR_SYSTEM
 */
export function setNonBlocking(fd: number): void {
  const flags = checked('fcntl', (c) => c.fcntl(fd, F_GETFL, 0), `F_GETFL of ${fd}`)
  if ((flags & O_NONBLOCK) === 0) checked('fcntl', (c) => c.fcntl(fd, F_SETFL, flags | O_NONBLOCK), `F_SETFL of ${fd}`)
}

/**
 * Kind, size and preferred block of an open file; the block is the page size where the file lives in huge pages. A file with
 * holes has less allocated than its size.
 */
export interface FdStatus {
  readonly isRegular: boolean
  /** Bytes. */
  readonly size: number
  /** Bytes that take room in its file system; for a file in memory, those of its pages. */
  readonly allocated: number
  /** Bytes. */
  readonly blockSize: number
}

/** fstat(2). Throws what `node:fs` throws (`code: 'EBADF'`). */
export function statFd(fd: number): FdStatus {
  const status = fstatSync(fd)
  // st_blocks counts 512 bytes each, whatever the block is.
  const allocated = 512 * status.blocks
  return { isRegular: status.isFile(), size: status.size, allocated, blockSize: status.blksize }
}
