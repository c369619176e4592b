import { refused, VringError } from '@vring/layout'
import { closeFd, EventFd, isEventFd, Mapping, setNonBlocking, statFd, UnixSocket } from '@vring/linux'
import { memoryView } from '@vring/memory'
import type { MappedMemory, MemoryWindow, SessionHost } from './session-host.ts'

/**
 * Maps a part of a file. The file's own page size (huge pages) sets where a mapping may begin and how long it is, so the
 * mapping is widened to it and the windows show what was asked for.
 */
function mapMemory(fd: number, offset: number, length: number): MappedMemory {
  const file = statFd(fd)
  // A mapping longer than its file is a SIGBUS at the first access behind the end.
  if (file.isRegular && length > file.size - offset)
    throw refused('ERR_PROTOCOL', 'region end', offset + length, `at most ${file.size}, the size of its file`)
  const page = Math.max(4096, file.blockSize)
  const lead = offset % page
  const mapping = Mapping.of(fd, { offset: offset - lead, length: Math.ceil((lead + length) / page) * page })
  const windows: MemoryWindow[] = []
  for (const window of mapping.windows) {
    const start = Math.max(window.offset, lead)
    const end = Math.min(window.offset + window.length, lead + length)
    if (start < end)
      windows.push({ view: memoryView(window.buffer, true), viewOffset: start - window.offset, length: end - start })
  }
  return { windows, close: () => mapping.unmap() }
}

/** Sessions with a real frontend, on Linux. */
export const linuxHost: SessionHost = {
  closeFd,
  mapMemory,
  ringEvent(fd) {
    // Anything else that is always readable would keep the loop from sleeping; a pipe that is full would stop it. That
    // it does not wait is for kernels without asynchronous I/O and RWF_NOWAIT: the driver can take it back.
    if (!isEventFd(fd)) throw new VringError('ERR_PROTOCOL', `descriptor ${fd} is no eventfd`, { field: 'fds' })
    setNonBlocking(fd)
    return new EventFd(fd, { shared: true })
  },
  transport: (fd) => {
    setNonBlocking(fd)
    return new UnixSocket(fd)
  },
}
