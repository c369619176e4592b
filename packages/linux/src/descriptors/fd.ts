import { fstatSync, statSync } from 'node:fs'
import {
  F_DUPFD_CLOEXEC,
  F_GET_SEALS,
  F_GETFL,
  F_SEAL_SHRINK,
  F_SETFL,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  O_NONBLOCK,
  STATFS,
} from '../abi.ts'
import { checked, fixedBytes, libc } from '../libc.ts'

/**
 * Closes a file descriptor. Never throws: Linux releases the number whatever close(2) returns, and a second try could close
 * one that was opened since. Not `fs.closeSync`, which warns in worker threads about descriptors that it did not open.
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
 * Makes calls on an open file return EAGAIN where they would wait. It is a property of the open file: every process that
 * shares the file sees it too.
 *
 * @throws VringError ERR_SYSTEM
 */
export function setNonBlocking(fd: number): void {
  const flags = checked('fcntl', (c) => c.fcntl(fd, F_GETFL, 0), `F_GETFL of ${fd}`)
  if ((flags & O_NONBLOCK) === 0) checked('fcntl', (c) => c.fcntl(fd, F_SETFL, flags | O_NONBLOCK), `F_SETFL of ${fd}`)
}

/**
 * File systems by the number that statfs(2) gives, as far as drivers' memory comes from them. Source: `<linux/magic.h>`, and
 * the source of the file systems for those that it leaves out.
 */
const FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x0102_1994, 'tmpfs'],
  [0x9584_58f6, 'hugetlbfs'],
  [0x8584_58f6, 'ramfs'],
  [0xef53, 'ext4'],
  [0x5846_5342, 'xfs'],
  [0x9123_683e, 'btrfs'],
  [0xf2f5_2010, 'f2fs'],
  [0x2fc1_2fc1, 'zfs'],
  [0xca45_1a4e, 'bcachefs'],
  [0x794c_7630, 'overlayfs'],
  [0x6573_5546, 'fuse'],
  [0x6969, 'nfs'],
  [0xff53_4d42, 'cifs'],
  [0xfe53_4d42, 'smb2'],
  [0x0102_1997, '9p'],
  [0x00c3_6400, 'ceph'],
  [0x5346_414f, 'afs'],
  [0x0bd0_0bd0, 'lustre'],
  [0x9fa0, 'proc'],
  [0x6265_6572, 'sysfs'],
  [0x5345_434d, 'secretmem'],
])

const LOCAL = ['tmpfs', 'hugetlbfs', 'ramfs', 'ext4', 'xfs', 'btrfs', 'f2fs', 'zfs', 'bcachefs', 'overlayfs']

/** Is a page of this file system, by name, found or not found without asking another process or host? */
export function isLocalFileSystem(name: string | null): boolean {
  return name !== null && LOCAL.includes(name)
}

/** The file system that an open file is in. */
export interface FileSystem {
  /** `tmpfs` (memfd and shmem too), `hugetlbfs`, `ext4`, ...; the number, hexadecimal, of one that is not known here. */
  readonly name: string
  /** Bytes of its preferred block: a page in tmpfs, a huge page in hugetlbfs. */
  readonly blockSize: number
}

/**
 * fstatfs(2).
 *
 * @throws VringError ERR_SYSTEM
 */
export function fileSystemOf(fd: number): FileSystem {
  const status = fixedBytes(STATFS.size)
  checked('fstatfs', (c) => c.fstatfs(fd, status), `descriptor ${fd}`)
  const words = new DataView(status.buffer)
  const type = words.getUint32(STATFS.f_type, true)
  return {
    name: FILE_SYSTEMS.get(type) ?? `0x${type.toString(16)}`,
    blockSize: Number(words.getBigInt64(STATFS.f_bsize, true)),
  }
}

/** Is this file sealed against shrinking (F_SEAL_SHRINK)? False for a file that takes no seals. */
export function isSealedAgainstShrinking(fd: number): boolean {
  const seals = libc().fcntl(fd, F_GET_SEALS, 0)
  return seals !== -1 && (seals & F_SEAL_SHRINK) !== 0
}

/**
 * Kind, size and preferred block of an open file; the block is the page size where the file lives in huge pages. A file with
 * holes has less allocated than its size.
 */
export interface FdStatus {
  /** Device and inode: the same for two descriptors of one file, while either is open. */
  readonly identity: string
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
  // Descriptors of `node:fs` are Deno's own numbers there.
  const status = 'Deno' in globalThis ? statSync(`/proc/self/fd/${fd}`) : fstatSync(fd)
  const { dev, ino } = status
  // st_blocks counts 512 bytes each, whatever the block is.
  const allocated = 512 * status.blocks
  return {
    identity: `${dev}:${ino}`,
    isRegular: status.isFile(),
    size: status.size,
    allocated,
    blockSize: status.blksize,
  }
}

/**
 * Gives the room of a part of a file back: it reads as zeroes. The size of the file stays.
 *
 * @param offset bytes
 * @param length bytes
 * @throws VringError ERR_SYSTEM (`EOPNOTSUPP`: the file system can't)
 */
export function punchHole(fd: number, offset: number, length: number): void {
  checked('fallocate', (c) => c.fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length))
}
