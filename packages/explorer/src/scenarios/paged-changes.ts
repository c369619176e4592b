import { ACCESS_WRITE, PAGE_BYTES } from '@vring/memory'
import { ExploringPort } from '../exploring-port.ts'
import type { ExploredMemory } from '../paged/explored-memory.ts'
import { ExploredPagedSpace } from '../paged/explored-paged-space.ts'
import { AVAIL_PAGE, DESC_PAGE, RingWorld, type RingWorldOptions, structuralOf, USED_PAGE } from '../queue-world.ts'
import type { Scenario } from '../scenario.ts'

/** Parts of the shipped address space that have a fault; default: those that ship. */
export interface PagedFaults {
  readonly memory?: typeof ExploredMemory
  readonly space?: typeof ExploredPagedSpace
  readonly port?: typeof ExploringPort
}

/** What a scenario over the shipped address space differs in. */
export type PagedScenarioOptions = RingWorldOptions & PagedFaults

/** A scenario over the shipped `PagedSpace`, for any strategy. */
export type PagedScenario = (options: PagedScenarioOptions) => Scenario

/** A queue over the shipped address space. */
export type PagedQueue = RingWorld<ExploredPagedSpace>

interface PagedParts {
  /** Thread code. */
  readonly change: (queue: PagedQueue) => void
  /** Before the threads start. */
  readonly before?: (queue: PagedQueue) => void
  /** What the datapath does in its round; default: one access that reads and one that writes. */
  readonly work?: (queue: PagedQueue) => void
  /** The ring's memory is gone afterwards. */
  readonly destroys?: boolean
}

/** One change of the ring's pages while a round runs, by the operation that ships. */
function during(name: string, description: string, parts: PagedParts): PagedScenario {
  return ({ memory, space: Space = ExploredPagedSpace, port: Port = ExploringPort, ...options }) => ({
    name: `paged-${name}`,
    description: `${description}, in the shipped address space`,
    structural: structuralOf(options),
    prepare: (world) => {
      const port = new Port(world)
      const space = new Space(world, port, DESC_PAGE, USED_PAGE - DESC_PAGE + 1, memory)
      const queue: PagedQueue = new RingWorld(world, port, space, options)
      parts.before?.(queue)
      const work = parts.work ?? (({ readAndWrite }) => readAndWrite())
      return {
        threads: [
          { name: 'datapath', accesses: true, run: () => queue.round(() => work(queue)) },
          { name, boundedWait: true, run: () => parts.change(queue) },
        ],
        finish: () => finish(queue, parts.destroys === true),
      }
    },
  })
}

/** What was written is there, mapping works again, and closing gives everything back. */
function finish(queue: PagedQueue, destroyed: boolean): void {
  const { cpu, world } = queue
  if (!destroyed) {
    const used = cpu.loadUser16(queue.user(USED_PAGE, 2))
    if (used !== 1) world.fail('used-lost', `the used index is ${used}, and 1 was written`)
    queue.checkFastPath()
  }
  queue.checkClosed()
}

const address = (page: number): number => page * PAGE_BYTES

export const pagedMigrate: PagedScenario = during('migration', 'the used page moves while a round runs', {
  change: ({ space }) => void space.paged.migrate(address(USED_PAGE), PAGE_BYTES),
})

export const pagedFork: PagedScenario = during('fork', 'the process forks while a round runs', {
  change: ({ space }) => void space.paged.fork(),
  work: ({ write }) => write(),
})

export const pagedCow: PagedScenario = during('copy-on-write', 'a page shared since a fork is written to and copied', {
  before: (queue) => {
    const { space } = queue
    space.paged.fork()
    // The used page has a copy already, and the ring is mapped again.
    space.resolve(address(USED_PAGE), 2, ACCESS_WRITE)
    queue.round(() => {})
  },
  change: ({ space }) => void space.resolve(address(AVAIL_PAGE), 2, ACCESS_WRITE),
})

export const pagedTwoCopies: PagedScenario = during(
  'two copies',
  'device and driver write to pages shared since a fork',
  {
    before: ({ space }) => void space.paged.fork(),
    change: ({ space }) => void space.resolve(address(USED_PAGE), 2, ACCESS_WRITE),
    work: ({ write }) => write(),
  },
)

export const pagedFault: PagedScenario = during('fault', 'the driver touches the used page while the device does', {
  before: ({ space }) => space.paged.dontNeed(address(USED_PAGE), PAGE_BYTES),
  change: ({ space }) => void space.resolve(address(USED_PAGE), 2, ACCESS_WRITE),
  work: ({ write }) => write(),
})

export const pagedMunmap: PagedScenario = during('munmap', 'the used page is unmapped while a round runs', {
  change: ({ space }) => space.paged.munmap(address(USED_PAGE), PAGE_BYTES),
  destroys: true,
})

export const pagedProtect: PagedScenario = during('mprotect', 'the avail page becomes read-only while a round runs', {
  change: ({ space }) => space.paged.mprotect(address(AVAIL_PAGE), PAGE_BYTES, { read: true, write: false }),
})

export const pagedHint: PagedScenario = during('numa hint', 'the used page gets a NUMA hint while a round runs', {
  change: ({ space }) => void space.paged.hintNuma(address(USED_PAGE), PAGE_BYTES),
})

export const pagedDrop: PagedScenario = during('madvise', 'the avail page is dropped while a round runs', {
  change: ({ space }) => space.paged.dontNeed(address(AVAIL_PAGE), PAGE_BYTES),
})
