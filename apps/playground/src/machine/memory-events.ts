import type { PagedSpace } from '@vring/memory'

/** How the guest's memory is mapped. */
export type Backing = 'anonymous' | 'shared' | 'file'

/** Bytes of a process's memory; whole pages. */
export interface UserRange {
  readonly address: number
  readonly length: number
}

/** What a process, or the kernel for it, does to mapped memory. */
export interface MemoryEvent {
  readonly title: string
  /** What it means for the device, in one line. */
  readonly description: string
  /** It is about the whole address space, whatever region is chosen. */
  readonly everywhere?: boolean
  run(space: PagedSpace, range: UserRange, backing: Backing): void
}

export type MemoryEventName =
  | 'migrate'
  | 'fork'
  | 'protect'
  | 'unprotect'
  | 'reclaim'
  | 'hint-numa'
  | 'dont-need'
  | 'unmap'
  | 'map'

/** Every event that can be fired at a region, in the order in which they are offered. */
export const MEMORY_EVENTS: Readonly<Record<MemoryEventName, MemoryEvent>> = {
  migrate: {
    title: 'Migrate',
    description: 'the kernel moves the pages to other frames',
    run: (space, { address, length }) => void space.migrate(address, length),
  },
  fork: {
    title: 'Fork',
    description: 'the process forks: private pages are write-protected until the first write',
    // The child is never used again, but lives: the pages stay shared until they are written.
    everywhere: true,
    run: (space) => void space.fork(),
  },
  protect: {
    title: 'Write-protect',
    description: 'mprotect takes the permission to write',
    run: (space, { address, length }) => space.mprotect(address, length, { read: true, write: false }),
  },
  unprotect: {
    title: 'Allow writes',
    description: 'mprotect gives the permission to write back',
    run: (space, { address, length }) => space.mprotect(address, length, { read: true, write: true }),
  },
  reclaim: {
    title: 'Swap out',
    description: 'the pages leave memory; what is not known to be dirty is not saved',
    run: (space, { address, length }) => void space.reclaim(address, length),
  },
  'hint-numa': {
    title: 'NUMA hint',
    description: 'the next access to each page is to fault',
    run: (space, { address, length }) => void space.hintNuma(address, length),
  },
  'dont-need': {
    title: 'Drop',
    description: 'MADV_DONTNEED: the pages go, the mapping stays, zeroes come back',
    run: (space, { address, length }) => space.dontNeed(address, length),
  },
  unmap: {
    title: 'Unmap',
    description: 'munmap: pages and mapping go',
    run: (space, { address, length }) => space.munmap(address, length),
  },
  map: {
    title: 'Map again',
    description: 'mmap: fresh pages of zeroes at the same place',
    run: (space, range, kind) => void space.mmap({ ...range, kind, populate: true }),
  },
}
