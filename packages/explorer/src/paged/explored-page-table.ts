import { PageTable } from '@vring/memory'
import type { ExploredWorld } from '../explored-world.ts'
import type { Machine } from '../machine.ts'

/** The space that the threads of a scenario run in; those after it are children that do not run. */
export const RUNNING = 1

/** A page table whose entries are variables of the world: each look at one, and each change, is a step. No huge pages. */
export class ExploredPageTable extends PageTable {
  readonly #world: ExploredWorld
  readonly #id: number
  /** No thread of the process runs: the table is of no concern to hardware. */
  readonly #isIdle: boolean
  readonly #isLocked: (machine: Machine) => boolean
  /** Location of each page's entry, of the pages that ever had one. */
  readonly #entries = new Map<number, number>()

  /** @param isLocked within a step: does its thread hold the page table lock? */
  constructor(world: ExploredWorld, id: number, isLocked: (machine: Machine) => boolean) {
    super()
    this.#world = world
    this.#id = id
    this.#isIdle = id !== RUNNING
    this.#isLocked = isLocked
  }

  override entry(page: number): number {
    return this.#step(`entry of ${page}?`, (machine) => this.get(machine, page))
  }

  override set(page: number, entry: number): void {
    this.#step(`entry of ${page} := ${entry.toString(16)}`, (machine) => this.#put(machine, page, entry))
  }

  override setHuge(): void {
    throw new Error('huge pages are not explored')
  }

  override addFlags(page: number, flags: number): void {
    this.#step(`entry of ${page} |= ${flags.toString(16)}`, (machine) => this.add(machine, page, flags))
  }

  // Which entries there are changes under the lock only; the hardware adds flags to them without.
  override next(from: number, end: number): number {
    const find = (machine: Machine): number => {
      const pages = [...this.#entries.keys()].filter((page) => page >= from && page < end)
      return pages.sort((a, b) => a - b).find((page) => this.get(machine, page) !== 0) ?? -1
    }
    return this.#world.guarded(`entry at or after ${from}?`, find, this.#isLocked)
  }

  // Within a step: what the hardware does.

  get(machine: Machine, page: number): number {
    return machine.get(this.#at(machine, page))
  }

  add(machine: Machine, page: number, flags: number): void {
    this.#put(machine, page, this.get(machine, page) | flags)
  }

  /** Entries that there are. */
  all(machine: Machine): number[] {
    return [...this.#entries.keys()].map((page) => this.get(machine, page))
  }

  #step<T>(label: string, run: (machine: Machine) => T): T {
    return this.#isIdle ? this.#world.guarded(label, run, this.#isLocked) : this.#world.atomic(label, run)
  }

  #put(machine: Machine, page: number, entry: number): void {
    machine.set(this.#at(machine, page), entry)
  }

  #at(machine: Machine, page: number): number {
    let at = this.#entries.get(page)
    if (at === undefined) {
      at = machine.location(`pte ${this.#id}/${page}`, 0)
      this.#entries.set(page, at)
    }
    return at
  }
}
