import { type Vma, VmaSet } from '@vring/memory'
import type { SyncPort } from '@vring/mmu-notifier'
import type { ExploredWorld } from '../explored-world.ts'
import type { Machine } from '../machine.ts'

/** Mappings of an explored address space: the shipped set, whose looks under the page table lock concern no other thread. */
export class ExploredVmas extends VmaSet {
  readonly #world: ExploredWorld
  readonly #isLocked: (machine: Machine) => boolean

  constructor(world: ExploredWorld, port: SyncPort, isLocked: (machine: Machine) => boolean) {
    super(port)
    this.#world = world
    this.#isLocked = isLocked
  }

  override get all(): readonly Vma[] {
    const at = this.#world.machine.location(this.vmas, [])
    return this.#world.guarded('vmas?', (machine) => machine.get<readonly Vma[]>(at), this.#isLocked)
  }
}
