import { ACCESS_WRITE, type Access, PAGE_BYTES, Tlb } from '@vring/memory'
import type { ExploredWorld } from '../explored-world.ts'
import type { Machine } from '../machine.ts'
import { RUNNING } from './explored-page-table.ts'

interface Cached {
  /** Byte offset of the frame. */
  readonly base: number
  readonly write: boolean
}

/** A TLB whose contents are variables of the world, and whose flush sends the interrupts that drain store buffers. */
export class ExploredTlb extends Tlb {
  readonly #world: ExploredWorld
  readonly #id: number
  readonly #isDrained: (machine: Machine) => boolean

  /** @param isDrained has no thread a store to a frame under way? */
  constructor(world: ExploredWorld, id: number, isDrained: (machine: Machine) => boolean) {
    super()
    this.#world = world
    this.#id = id
    this.#isDrained = isDrained
  }

  override lookup(address: number, length: number, access: Access): number {
    const offset = address % PAGE_BYTES
    if (offset + length > PAGE_BYTES) return -1
    return this.#world.atomic(`tlb of ${Math.floor(address / PAGE_BYTES)}?`, (machine) => {
      const base = this.baseOf(machine, address - offset, access)
      return base < 0 ? -1 : base + offset
    })
  }

  // A process that does not run has nothing cached anywhere.
  override fill(pageAddress: number, base: number, access: Access): void {
    if (this.#id !== RUNNING) return
    this.#world.atomic(`tlb of ${pageAddress / PAGE_BYTES} filled`, (machine) =>
      this.put(machine, pageAddress, base, access),
    )
  }

  override flush(pageAddress: number): void {
    if (this.#id !== RUNNING) return
    this.#world.atomic(
      `tlb of ${pageAddress / PAGE_BYTES} flushed`,
      (machine) => machine.set(this.#at(machine, pageAddress), null),
      this.#isDrained,
    )
  }

  // Within a step: what the hardware does.

  /** Byte offset of the page's frame, or -1. */
  baseOf(machine: Machine, pageAddress: number, access: Access): number {
    const cached = machine.get<Cached | null>(this.#at(machine, pageAddress))
    return cached === null || (access === ACCESS_WRITE && !cached.write) ? -1 : cached.base
  }

  put(machine: Machine, pageAddress: number, base: number, access: Access): void {
    machine.set(this.#at(machine, pageAddress), { base, write: access === ACCESS_WRITE })
  }

  #at(machine: Machine, pageAddress: number): number {
    return machine.location(`tlb ${this.#id}/${pageAddress}`, null)
  }
}
