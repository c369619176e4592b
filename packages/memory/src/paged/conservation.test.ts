import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ACCESS_READ, ACCESS_WRITE } from '../address-map.ts'
import { auditFrames } from './audit.ts'
import { writeback } from './operations/writeback.ts'
import { PageCache } from './page-cache.ts'
import { PagedSpace } from './paged-space.ts'
import { PhysicalMemory } from './physical-memory.ts'

const PAGE = 4096
const PAGES = 2
const FRAMES = 48
const BASE = 0x7000_0000_0000
/** The regions of every space, and the two places that the anonymous one moves between. */
const REGIONS = { anonymous: BASE, shared: BASE + 16 * PAGE, file: BASE + 32 * PAGE, private: BASE + 48 * PAGE }
const ELSEWHERE = BASE + 64 * PAGE

type RegionName = keyof typeof REGIONS

/** What a page must hold: one byte, in a cell that is shared by all processes that share the page. */
interface Cell {
  value: number
}

interface Process {
  readonly space: PagedSpace
  readonly cells: Record<RegionName, Cell[]>
  anonymousAt: number
  writable: boolean
}

const OPERATIONS = [
  'write',
  'write',
  'read',
  'fork',
  'exit',
  'migrate',
  'reclaim',
  'dontNeed',
  'merge',
  'unmerge',
  'hintNuma',
  'protect',
  'move',
  'writeback',
  'remap',
  'oomReap',
] as const

const step = fc.record({
  operation: fc.constantFrom(...OPERATIONS),
  process: fc.nat(2),
  region: fc.constantFrom<RegionName>('anonymous', 'shared', 'file', 'private'),
  page: fc.nat(PAGES - 1),
  value: fc.integer({ min: 1, max: 3 }),
})

/** Runs steps against the model and against what memory must do, and checks after every one. */
class World {
  readonly physical: PhysicalMemory
  readonly file: PageCache
  readonly shm: PageCache
  readonly fileCells: Cell[] = []
  readonly shmCells: Cell[] = []
  readonly processes: Process[] = []

  constructor(allocator: 'contiguous' | 'scattered') {
    this.physical = new PhysicalMemory({ frames: FRAMES, allocator })
    this.file = new PageCache(this.physical, 'file', PAGES * PAGE)
    this.shm = new PageCache(this.physical, 'shmem', PAGES * PAGE)
    for (let i = 0; i < PAGES; i++) {
      this.fileCells.push({ value: 0 })
      this.shmCells.push({ value: 0 })
    }
    const space = new PagedSpace({ physical: this.physical })
    const length = PAGES * PAGE
    space.mmap({ address: REGIONS.anonymous, length })
    space.mmap({ address: REGIONS.shared, length, cache: this.shm })
    space.mmap({ address: REGIONS.file, length, cache: this.file })
    space.mmap({ address: REGIONS.private, length, cache: this.file, private: true })
    this.processes.push({
      space,
      cells: {
        anonymous: this.shmCells.map(() => ({ value: 0 })),
        shared: this.shmCells,
        file: this.fileCells,
        private: [...this.fileCells],
      },
      anonymousAt: REGIONS.anonymous,
      writable: true,
    })
  }

  addressOf(process: Process, region: RegionName, page: number): number {
    return (region === 'anonymous' ? process.anonymousAt : REGIONS[region]) + page * PAGE
  }

  check(): void {
    expect(auditFrames(this.physical)).toEqual([])
    expect(this.physical.corruptions).toEqual([])
    expect(this.file.lostWrites()).toEqual([])
    for (const { space } of this.processes) expect(space.violations.count).toBe(0)
  }

  checkContents(): void {
    for (const process of this.processes)
      for (const region of Object.keys(REGIONS) as RegionName[])
        for (let page = 0; page < PAGES; page++)
          expect(process.space.read(this.addressOf(process, region, page), 1)[0]).toBe(
            process.cells[region][page].value,
          )
  }
}

describe('frames are conserved', () => {
  it('whatever processes do in whatever order: no leak, no double use, every page holds what was written to it', () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 5, maxLength: 60 }),
        fc.constantFrom('contiguous' as const, 'scattered' as const),
        (steps, allocator) => {
          const world = new World(allocator)
          for (const { operation, process: index, region, page, value } of steps) {
            perform(world, operation, world.processes[index % world.processes.length], region, page, value)
            world.check()
          }
          world.checkContents()
          world.check()
          for (const { space } of world.processes) space.close()
          world.file.close()
          world.shm.close()
          expect([world.physical.freeFrames, world.physical.swap.size]).toEqual([FRAMES, 0])
        },
      ),
      { numRuns: 150 },
    )
  })
})

function perform(
  world: World,
  operation: (typeof OPERATIONS)[number],
  process: Process,
  region: RegionName,
  page: number,
  value: number,
): void {
  const { space, cells } = process
  const address = world.addressOf(process, region, page)
  const own = region === 'anonymous' || region === 'private'
  switch (operation) {
    case 'write': {
      if (region === 'anonymous' && !process.writable) {
        expect(space.resolve(address, 1, ACCESS_WRITE)).toBeLessThan(0)
        break
      }
      const at = space.resolve(address, 1, ACCESS_WRITE)
      expect(at).toBeGreaterThanOrEqual(0)
      space.view.u8[at] = value
      // A write to private memory leaves whatever it shared the page with.
      if (own) cells[region][page] = { value }
      else cells[region][page].value = value
      break
    }
    case 'read':
      expect(space.view.u8[space.resolve(address, 1, ACCESS_READ)]).toBe(cells[region][page].value)
      break
    case 'fork':
      if (world.processes.length === 3) break
      world.processes.push({
        ...process,
        space: space.fork(),
        cells: { ...cells, anonymous: [...cells.anonymous], private: [...cells.private] },
      })
      break
    case 'exit':
      if (world.processes.length === 1) break
      space.close()
      world.processes.splice(world.processes.indexOf(process), 1)
      break
    case 'migrate':
      space.migrate(address, PAGE)
      break
    case 'reclaim':
      space.reclaim(address, PAGE)
      break
    case 'dontNeed':
      space.dontNeed(address, PAGE)
      if (region === 'anonymous') cells.anonymous[page] = { value: 0 }
      if (region === 'private') cells.private[page] = world.fileCells[page]
      break
    case 'merge': {
      const other = world.processes[(world.processes.indexOf(process) + value) % world.processes.length]
      space.merge(address, other.space, world.addressOf(other, region, (page + value) % PAGES))
      break
    }
    case 'unmerge':
      space.unmerge(address, PAGE)
      break
    case 'hintNuma':
      space.hintNuma(address, PAGE)
      break
    case 'protect':
      process.writable = value !== 1
      space.mprotect(process.anonymousAt, PAGES * PAGE, { read: true, write: process.writable })
      break
    case 'move': {
      const to = process.anonymousAt === ELSEWHERE ? REGIONS.anonymous : ELSEWHERE
      expect(space.mremap(process.anonymousAt, PAGES * PAGE, PAGES * PAGE, to)).toBe(to)
      process.anonymousAt = to
      break
    }
    case 'writeback':
      writeback(world.file)
      break
    case 'remap':
      // Out and in again: private memory starts from zero.
      space.munmap(process.anonymousAt, PAGES * PAGE)
      space.mmap({ address: process.anonymousAt, length: PAGES * PAGE })
      process.writable = true
      cells.anonymous = cells.anonymous.map(() => ({ value: 0 }))
      break
    case 'oomReap':
      if (value !== 1) break
      space.oomReap()
      cells.anonymous = cells.anonymous.map(() => ({ value: 0 }))
      cells.private = [...world.fileCells]
      break
  }
}
