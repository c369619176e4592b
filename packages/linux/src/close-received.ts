import { fstatSync } from 'node:fs'
import { SOL_SOCKET } from './abi.ts'
import { isEventFd } from './eventfd.ts'
import { closeFd, fileSystemOf } from './fd.ts'
import { IoUring, SQE_FD, SQE_OPCODE, SQE_USER_DATA, SQE_WORDS } from './io-uring.ts'
import { fixedBytes, libc } from './libc.ts'

const EBADF = 9
const IORING_OP_CLOSE = 19
/** In the second byte of {@link SQE_OPCODE}: by a thread of the kernel, whatever it finds. */
const IOSQE_ASYNC = 16
const SO_LINGER = 13
/** Entries of the submission queue: one is used at a time. */
const ENTRIES = 8
/** Descriptors of a thread that the kernel may be closing at the same time. */
const UNDER_WAY_MAX = 1024
const IN_MEMORY = ['tmpfs', 'hugetlbfs', 'ramfs']

/** Closes what may wait, while something is under way. */
let ring: IoUring | null = null
let underWay = 0

/**
 * Closes a descriptor that came from another process, and does not wait for it. How long close(2) takes is up to the file, and so
 * to who made it: a TCP socket with SO_LINGER waits until its peer has read everything, a file of FUSE until its server has
 * answered, and an AF_UNIX socket closes what waits in it. What closes at once is closed here; the rest by io_uring, in a thread
 * of the kernel, so that its number stays in use for a while. Without io_uring a socket's SO_LINGER is taken away first.
 */
export function closeReceived(fd: number): void {
  if (fd < 0) return
  if (closesAtOnce(fd)) closeFd(fd)
  else if (!closeByKernel(fd)) {
    // Of another file than a socket this fails, and changes nothing.
    libc().setsockopt(fd, SOL_SOCKET, SO_LINGER, fixedBytes(8), 8)
    closeFd(fd)
  }
}

/** Eventfds, pipes, and files that are memory. A socket is its sender's too: nothing of it is changed to find out. */
function closesAtOnce(fd: number): boolean {
  if (isEventFd(fd)) return true
  try {
    const status = fstatSync(fd)
    if (status.isFIFO()) return true
    return status.isFile() && IN_MEMORY.includes(fileSystemOf(fd).name)
  } catch {
    return false
  }
}

/** False: the kernel has no io_uring for this process, or too many are under way. */
function closeByKernel(fd: number): boolean {
  forgetClosed()
  if (underWay === UNDER_WAY_MAX) return false
  try {
    ring ??= IoUring.create(ENTRIES)
  } catch {
    return false
  }
  const { sqes, tail, entries } = ring
  const at = SQE_WORDS * (tail & (entries - 1))
  sqes.fill(0, at, at + SQE_WORDS)
  sqes[at + SQE_OPCODE] = IORING_OP_CLOSE | (IOSQE_ASYNC << 8)
  sqes[at + SQE_FD] = fd
  sqes[at + SQE_USER_DATA] = fd
  const taken = ring.submit(1, 0) === 1
  if (taken) underWay++
  forgetClosed()
  return taken
}

/** Takes the results that are there; the ring goes with the last one. */
function forgetClosed(): void {
  if (ring === null) return
  while (underWay > 0 && ring.pending) {
    ring.submit(0, 1)
    const count = ring.completions()
    // An io_uring is left to close(2), which does not wait for one.
    for (let i = 0; i < count; i++) if (ring.result(i) === -EBADF) closeFd(ring.userData(i))
    ring.release(count)
    underWay -= count
  }
  if (underWay > 0) return
  ring.close()
  ring = null
}
