import { SOL_SOCKET } from '../abi.ts'
import { fixedBytes, libc } from '../libc.ts'
import { CLOSE_CHILD_CODE } from '../machine-code/close-child-code.ts'
import { MachineCode } from '../machine-code/machine-code.ts'
import { closeFd } from './fd.ts'
import { closesAtOnce } from './fd-kind.ts'

const SO_LINGER = 13
const WNOHANG = 1
/** Children that send no signal at their end. */
const WCLONE = 0x8000_0000 | 0
/** Children of a thread at the same time. */
const CHILDREN_MAX = 1024

/** Made when it is needed first. */
let code: MachineCode | null | undefined
const children = new Set<number>()

/**
 * Closes a descriptor that came from another process, and does not wait for it. How long close(2) takes is up to the
 * file, and so to who made it. A TCP socket with SO_LINGER waits until its peer has read everything. A file of FUSE
 * waits until its server has answered, beyond the reach of SIGKILL. An AF_UNIX socket closes what waits in it. What
 * closes at once is closed here. The rest is closed by a child process that shares the descriptors. Their number is
 * free as soon as it runs, and this process's end does not wait for the child's. Where that can't be made, a socket's
 * SO_LINGER is taken away first.
 */
export function closeReceived(fd: number): void {
  if (fd < 0) return
  if (closesAtOnce(fd)) closeFd(fd)
  else if (!closeByChild(fd)) {
    // Of another file than a socket this fails, and changes nothing.
    libc().setsockopt(fd, SOL_SOCKET, SO_LINGER, fixedBytes(8), 8)
    closeFd(fd)
  }
}

/** False: no code for this processor, no right to run it, no more processes, or too many that wait. */
function closeByChild(fd: number): boolean {
  reap()
  if (children.size >= CHILDREN_MAX) return false
  if (code === undefined) code = machineCode()
  const pid = code === null ? -1 : Number(code.call(fd, 0))
  if (pid < 0) return false
  children.add(pid)
  reap()
  return true
}

function machineCode(): MachineCode | null {
  const bytes = CLOSE_CHILD_CODE[process.arch]
  if (bytes === undefined) return null
  try {
    return MachineCode.of(bytes, process.arch)
  } catch {
    return null
  }
}

/** Those that are done; they are zombies until then. */
function reap(): void {
  for (const pid of children) if (libc().waitpid(pid, null, WNOHANG | WCLONE) !== 0) children.delete(pid)
}
