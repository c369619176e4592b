import { ENOMEM } from '@vring/layout'
import { type Mm, PhysicalMemory, type SpaceParts, type ViolationKind, ViolationLog } from '@vring/memory'
import { MmuNotifierList, type MmuNotifierListOptions } from '@vring/mmu-notifier'
import type { ExploredWorld } from '../explored-world.ts'
import type { ExploringPort } from '../exploring-port.ts'
import { FrameWords } from '../frame-words.ts'
import type { Machine } from '../machine.ts'
import { ExploredPageTable } from './explored-page-table.ts'
import { ExploredTlb } from './explored-tlb.ts'
import { ExploredVmas } from './explored-vmas.ts'

/** What is known of a frame. */
interface FrameState {
  readonly references: number
  readonly dirty: boolean
  readonly merged: boolean
  /** Reverse map: keys of the entries that hold it. */
  readonly mappings: readonly number[]
}

type Change<K extends keyof FrameState> = (value: FrameState[K]) => FrameState[K]

const FREE_FRAME: FrameState = { references: 0, dirty: false, merged: false, mappings: [] }

/** A key of the reverse map is a space's number above these, and a page's below. */
const PAGE_KEY = 2 ** 35

/** The parts of one explored address space. */
export interface ExploredParts extends SpaceParts {
  readonly table: ExploredPageTable
  readonly tlb: ExploredTlb
}

/**
 * Physical memory whose frames are variables of the world: references, reverse map, dirtiness, contents. What runs on
 * top of it, spaces and their operations, is the code that ships. Anonymous memory in small pages only: no page cache,
 * no swap.
 */
export class ExploredMemory extends PhysicalMemory {
  readonly words: FrameWords = new FrameWords()
  /** A fault met a page that is being migrated; where Linux waits, the space that faulted looks here. */
  metMigration = false
  /** Within a step: does its thread hold the page table lock? */
  readonly isLocked: (machine: Machine) => boolean
  protected readonly world: ExploredWorld
  readonly #spaces = new Map<number, Mm>()
  readonly #parts = new Map<number, ExploredParts>()

  constructor(world: ExploredWorld, port: ExploringPort, frames: number) {
    super({ frames, port })
    this.world = world
    this.isLocked = (machine) => port.holds(machine, this.pageTableLock)
  }

  override createParts(id: number, notifiers: MmuNotifierListOptions): ExploredParts {
    const parts: ExploredParts = {
      table: new ExploredPageTable(this.world, id, this.isLocked),
      tlb: new ExploredTlb(this.world, id, (machine) => this.words.isDrained(machine)),
      vmas: new ExploredVmas(this.world, this.port, this.isLocked),
      violations: new ExploredViolations(this),
      notifiers: new MmuNotifierList({ port: this.port, ...notifiers }),
    }
    this.#parts.set(id, parts)
    return parts
  }

  partsOf(id: number): ExploredParts {
    return this.#parts.get(id)!
  }

  // A space that some schedule makes is known in all of them: it has no memory where it was not made.

  override attach(space: Mm): number {
    const id = this.#spaces.size + 1
    this.#spaces.set(id, space)
    return id
  }

  override detach(): void {}

  override get spaces(): Iterable<Mm> {
    return this.#spaces.values()
  }

  override space(id: number): Mm {
    return this.#spaces.get(id)!
  }

  override allocate(): number {
    return this.world.atomic('allocate a frame', (machine) => {
      for (let frame = 0; frame < this.frames; frame++) {
        if (this.referencesTo(machine, frame) > 0) continue
        this.#put(machine, 'references', frame, 1)
        this.#put(machine, 'dirty', frame, false)
        this.words.zero(machine, frame)
        return frame
      }
      return ENOMEM
    })
  }

  override allocateHuge(): number {
    return ENOMEM
  }

  override references(frame: number): number {
    return this.#look('references', frame)
  }

  override hold(frame: number): void {
    this.#changeGuarded('references', frame, (references) => references + 1)
  }

  override put(frame: number): void {
    this.world.atomic(`put frame ${frame}`, (machine) => {
      const references = this.referencesTo(machine, frame)
      if (references === 0) machine.report('bad-frames', `a reference of frame ${frame} is given back twice`)
      else this.#put(machine, 'references', frame, references - 1)
      if (references !== 1) return
      this.#put(machine, 'dirty', frame, false)
      this.#put(machine, 'merged', frame, false)
    })
  }

  override isFree(frame: number): boolean {
    // Asked by a thread that marks a mapping dirty, without the lock.
    return this.world.atomic(`frame ${frame} free?`, (machine) => this.referencesTo(machine, frame) === 0)
  }

  override isDirty(frame: number): boolean {
    return this.world.atomic(`frame ${frame} dirty?`, (machine) => this.#get(machine, 'dirty', frame))
  }

  override setDirty(frame: number): void {
    this.#change('dirty', frame, () => true)
  }

  override clearDirty(frame: number): void {
    this.#change('dirty', frame, () => false)
  }

  override isMerged(frame: number): boolean {
    return this.#look('merged', frame)
  }

  override setMerged(frame: number): void {
    this.#changeGuarded('merged', frame, () => true)
  }

  override cacheOf(): null {
    return null
  }

  override bytes(): Uint8Array {
    throw new Error('files and swap are not explored')
  }

  override copyFrame(to: number, from: number): void {
    this.world.atomic(`copy frame ${from} to ${to}`, (machine) => this.words.copy(machine, from, to))
  }

  override sameContents(a: number, b: number): boolean {
    return this.world.atomic(`frames ${a} and ${b} equal?`, (machine) => this.words.equal(machine, a, b))
  }

  override addMapping(frame: number, key: number): void {
    this.#changeGuarded('mappings', frame, (keys) => [...keys, key])
  }

  override removeMapping(frame: number, key: number): void {
    this.#changeGuarded('mappings', frame, (keys) => {
      if (keys.includes(key)) return keys.filter((other) => other !== key)
      this.world.machine.report('bad-frames', `frame ${frame} has no mapping of page ${key % PAGE_KEY}`)
      return keys
    })
  }

  override mappingsOf(frame: number): number[] {
    return [...this.#look('mappings', frame)]
  }

  override mapCount(frame: number): number {
    return this.#look('mappings', frame).length
  }

  /** Within a step. */
  referencesTo(machine: Machine, frame: number): number {
    return this.#get(machine, 'references', frame)
  }

  /** Of no concern to others under the page table lock: readers and writers hold the lock. */
  #look<K extends keyof FrameState>(what: K, frame: number): FrameState[K] {
    return this.world.guarded(`${what} of frame ${frame}?`, (m) => this.#get(m, what, frame), this.isLocked)
  }

  #changeGuarded<K extends keyof FrameState>(what: K, frame: number, change: Change<K>): void {
    this.world.guarded(`${what} of frame ${frame} :=`, (m) => this.#apply(m, what, frame, change), this.isLocked)
  }

  #change<K extends keyof FrameState>(what: K, frame: number, change: Change<K>): void {
    this.world.atomic(`${what} of frame ${frame} :=`, (m) => this.#apply(m, what, frame, change))
  }

  #apply<K extends keyof FrameState>(machine: Machine, what: K, frame: number, change: Change<K>): void {
    this.#put(machine, what, frame, change(this.#get(machine, what, frame)))
  }

  #get<K extends keyof FrameState>(machine: Machine, what: K, frame: number): FrameState[K] {
    return machine.get<FrameState[K]>(this.#at(machine, what, frame))
  }

  #put<K extends keyof FrameState>(machine: Machine, what: K, frame: number, value: FrameState[K]): void {
    machine.set(this.#at(machine, what, frame), value)
  }

  #at(machine: Machine, what: keyof FrameState, frame: number): number {
    return machine.location(`${what} of frame ${frame}`, FREE_FRAME[what])
  }
}

/**
 * Notes the faults that met a page in migration: no violation where threads wait for one another. Stale mappings are
 * not taken from here: each access is checked when it happens. A reader of an interval may look at the numbers of a
 * mapping: it must retry, and does.
 */
class ExploredViolations extends ViolationLog {
  readonly #memory: ExploredMemory

  constructor(memory: ExploredMemory) {
    super()
    this.#memory = memory
  }

  override add(kind: ViolationKind): void {
    if (kind === 'fault-in-notifier') this.#memory.metMigration = true
  }
}
