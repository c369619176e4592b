import { isVringError } from '@vring/layout'
import { ACCESS_READ, ACCESS_WRITE, auditFrames, PAGE_BYTES, PagedSpace, PhysicalMemory } from '@vring/memory'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ExploredWorld } from '../explored-world.ts'
import { ExploringPort } from '../exploring-port.ts'
import { ExploredMemory } from './explored-memory.ts'

const FIRST = 1
const PAGES = 4
const FRAMES = 12

/** One operation on the parent or, where there is one, on its child. */
interface Step {
  readonly operation: keyof typeof operations
  readonly page: number
  readonly count: number
  readonly onChild: boolean
}

const operations = {
  read: (space: PagedSpace, at: number) => space.resolve(at, 2, ACCESS_READ) >= 0,
  write: (space: PagedSpace, at: number) => space.resolve(at, 2, ACCESS_WRITE) >= 0,
  munmap: (space: PagedSpace, at: number, bytes: number) => space.munmap(at, bytes),
  mmap: (space: PagedSpace, at: number, bytes: number) => space.mmap({ address: at, length: bytes }),
  mremap: (space: PagedSpace, at: number, bytes: number) =>
    space.mremap(at, bytes, bytes, (FIRST + PAGES) * PAGE_BYTES),
  migrate: (space: PagedSpace, at: number, bytes: number) => space.migrate(at, bytes),
  readOnly: (space: PagedSpace, at: number, bytes: number) => space.mprotect(at, bytes, { read: true, write: false }),
  writable: (space: PagedSpace, at: number, bytes: number) => space.mprotect(at, bytes, { read: true, write: true }),
  dontNeed: (space: PagedSpace, at: number, bytes: number) => space.dontNeed(at, bytes),
  hintNuma: (space: PagedSpace, at: number, bytes: number) => space.hintNuma(at, bytes),
  merge: (space: PagedSpace, at: number) => space.merge(at, space, at + PAGE_BYTES),
  unmerge: (space: PagedSpace, at: number, bytes: number) => space.unmerge(at, bytes),
  oomReap: (space: PagedSpace) => space.oomReap(),
} as const

/** A process, its child when it has forked, and their memory. */
class Family {
  readonly physical: PhysicalMemory
  readonly parent: PagedSpace
  child: PagedSpace | null = null

  constructor(physical: PhysicalMemory) {
    this.physical = physical
    this.parent = new PagedSpace({ physical })
    this.parent.mmap({ address: FIRST * PAGE_BYTES, length: PAGES * PAGE_BYTES, populate: true })
  }

  /** What the operation returns, or the code of its refusal. */
  apply({ operation, page, count, onChild }: Step): unknown {
    const space = (onChild && this.child) || this.parent
    try {
      return operations[operation](space, page * PAGE_BYTES, count * PAGE_BYTES)
    } catch (error) {
      if (!isVringError(error)) throw error
      return error.code
    }
  }

  /** Everything that can be seen of tables and frames. */
  state(): object {
    const tables = [...this.physical.spaces].map(({ table }) =>
      Array.from({ length: 2 * PAGES + FIRST }, (_, page) => table.entry(page)),
    )
    const frames = Array.from({ length: FRAMES }, (_, frame) => ({
      references: this.physical.references(frame),
      mappings: this.physical.mapCount(frame),
      dirty: this.physical.isDirty(frame),
      merged: this.physical.isMerged(frame),
    }))
    return { tables, frames, wrong: auditFrames(this.physical) }
  }
}

describe('the explored parts of an address space', () => {
  it('do what the shipped ones do, whatever is asked of them in whatever order', () => {
    const steps = fc.array(
      fc.record({
        operation: fc.constantFrom(...(Object.keys(operations) as Step['operation'][])),
        page: fc.integer({ min: FIRST, max: FIRST + PAGES - 1 }),
        count: fc.integer({ min: 1, max: 2 }),
        onChild: fc.boolean(),
      }),
      { maxLength: 24 },
    )
    fc.assert(
      fc.property(steps, fc.nat(12), (sequence, forkAt) => {
        const world = new ExploredWorld('sc')
        const shipped = new Family(new PhysicalMemory({ frames: FRAMES }))
        const explored = new Family(new ExploredMemory(world, new ExploringPort(world), FRAMES))
        sequence.forEach((step, at) => {
          if (at === forkAt) for (const family of [shipped, explored]) family.child = family.parent.fork()
          expect(explored.apply(step), step.operation).toEqual(shipped.apply(step))
          expect(explored.state(), step.operation).toEqual(shipped.state())
          expect(world.machine.found).toBe(null)
        })
      }),
      { numRuns: 150, seed: 3 },
    )
  })
})
