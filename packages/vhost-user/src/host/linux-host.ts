import { totalmem } from 'node:os'
import { refused } from '@vring/layout'
import {
  closeReceived,
  createMemfd,
  EventFd,
  FileStream,
  fileSystemName,
  isEventFd,
  isLocalFileSystem,
  isPipe,
  isSealedAgainstShrinking,
  isSocket,
  Mapping,
  PipeSignal,
  PipeStream,
  SocketSignal,
  setNonBlocking,
  statFd,
  UnixSocket,
} from '@vring/linux'
import { LazyView, memoryView } from '@vring/memory'
import type { MappedMemory, MemoryWindow, RingEvent, RingEventUse, SessionHost, StateStream } from './session-host.ts'

/** Which files a frontend may share as memory. */
export interface MemoryPolicy {
  /**
   * `memory` (default): files that are memory, in tmpfs (memfd) and hugetlbfs. `any`: regular files of local file
   * systems too, whose full or slow disk is this process's to wait for. Block devices, FUSE and network file systems:
   * never.
   */
  readonly files?: 'memory' | 'any'
  /** Only files that can't be shortened any more (F_SEAL_SHRINK). Default false: QEMU's are sealed, DPDK's are not. */
  readonly requireSealed?: boolean
  /** Takes one line for people when a file is taken that can make this process wait. */
  readonly onNote?: (line: string) => void
}

const MEMORY = ['tmpfs', 'hugetlbfs']

/** Sessions with a real frontend, on Linux. */
export function createLinuxHost(policy: MemoryPolicy = {}): SessionHost {
  const { files = 'memory', requireSealed = false, onNote } = policy
  if (files !== 'memory' && files !== 'any')
    throw refused('ERR_INVALID_ARGUMENT', 'memory files', files, "'memory' or 'any'")
  const acceptedFiles = files === 'memory' ? MEMORY.join(', ') : 'a regular file of a local file system'
  const told = new Set<string>()

  /**
   * Asks for the file system first, which does not ask it anything: a file of FUSE is asked nothing.
   *
   * @returns its name
   * @throws VringError ERR_PROTOCOL for a file that is not taken
   */
  const fileSystem = (fd: number): string => {
    const name = fileSystemName(fd)
    if (name === null) throw refused('ERR_PROTOCOL', 'memory', 'in no file system that is mounted here', acceptedFiles)
    if (!(files === 'memory' ? MEMORY.includes(name) : isLocalFileSystem(name)))
      throw refused('ERR_PROTOCOL', 'memory', `a file in ${name}`, acceptedFiles)
    return name
  }

  /** @throws VringError ERR_PROTOCOL for a file that is not taken, or shorter than `end` bytes */
  const checkFile = (fd: number, end: number): void => {
    const name = fileSystem(fd)
    const { isRegular, size } = statFd(fd)
    if (!isRegular) throw refused('ERR_PROTOCOL', 'memory', 'no regular file', acceptedFiles)
    // A mapping longer than its file has no pages after its end.
    if (end > size) throw refused('ERR_PROTOCOL', 'region end', end, `at most ${size}, the size of its file`)
    if (requireSealed && !isSealedAgainstShrinking(fd))
      throw refused('ERR_PROTOCOL', 'memory', 'a file that can be shortened', 'one with F_SEAL_SHRINK')
    if (MEMORY.includes(name) || told.has(name)) return
    told.add(name)
    onNote?.(
      `the driver's memory is a file in ${name}: a full disk ends its session, a slow one holds the whole thread`,
    )
  }

  return {
    memoryBytes: totalmem(),
    closeFd: closeReceived,
    mapMemory,
    fileIdentity: (fd) => {
      fileSystem(fd)
      return statFd(fd).identity
    },
    ringEvent,
    transport,
    createMemory: (bytes) => createMemfd('vring-inflight', bytes),
    stream,
  }

  /**
   * Maps a part of a file. The file's own page size (huge pages) sets where a mapping may begin and how long it is. So
   * the mapping is widened to it and the windows show what was asked for.
   */
  function mapMemory(fd: number, offset: number, length: number): MappedMemory {
    checkFile(fd, offset + length)
    const page = Math.max(4096, statFd(fd).blockSize)
    const lead = offset % page
    const bytes = Math.ceil((lead + length) / page) * page
    const mapping = Mapping.of(fd, { offset: offset - lead, length: bytes, guard: true })
    const windows: MemoryWindow[] = []
    for (const window of mapping.windows) {
      const start = Math.max(window.offset, lead)
      const end = Math.min(window.offset + window.length, lead + length)
      if (start >= end) continue
      const view = new LazyView(window.length, () => memoryView(window.buffer, true))
      windows.push({ view, viewOffset: start - window.offset, length: end - start, handle: window.handle })
    }
    return {
      windows,
      get faults() {
        return mapping.faults
      },
      close: () => mapping.unmap(),
    }
  }
}

/** {@link createLinuxHost} with its defaults. */
export const linuxHost: SessionHost = createLinuxHost()

function transport(fd: number): UnixSocket {
  setNonBlocking(fd)
  return new UnixSocket(fd, { untrusted: true })
}

function ringEvent(fd: number, use: RingEventUse): RingEvent {
  if (isEventFd(fd)) {
    // That it does not wait is for kernels without asynchronous I/O and RWF_NOWAIT: the driver can take it back.
    setNonBlocking(fd)
    return new EventFd(fd, { shared: true })
  }
  if (use === 'signal' && isPipe(fd)) return new PipeSignal(fd)
  if (use === 'signal' && isSocket(fd)) return new SocketSignal(fd)
  // Anything else that is always readable would keep the loop from sleeping.
  const accepted = use === 'signal' ? 'an eventfd, a pipe or a socket' : 'an eventfd'
  throw refused('ERR_PROTOCOL', `${use} descriptor`, fd, accepted)
}

/** A file is there at once; a pipe is opened again, so that no other process can make it wait. */
function stream(fd: number): StateStream {
  if (isPipe(fd)) return new PipeStream(fd)
  if (isLocalFileSystem(fileSystemName(fd)) && statFd(fd).isRegular) return new FileStream(fd)
  throw refused('ERR_PROTOCOL', 'device state descriptor', fd, 'a pipe or a file')
}
