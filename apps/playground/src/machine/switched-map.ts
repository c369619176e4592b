import type { Access, AddressMap, MemoryView } from '@vring/memory'

/** What was resolved: told before the access that wants it. */
export type ResolveListener = (address: number, length: number, access: Access, status: number) => void

/**
 * Where the driver's buffers are, for a device that lives on while a device IOTLB comes and goes: another map, switched
 * between rounds. Tells of every range that is resolved.
 */
export class SwitchedMap implements AddressMap {
  target: AddressMap
  readonly #listener: ResolveListener

  constructor(target: AddressMap, listener: ResolveListener) {
    this.target = target
    this.#listener = listener
  }

  get view(): MemoryView {
    return this.target.view
  }

  get span(): number {
    return this.target.span
  }

  resolve(address: number, length: number, access: Access): number {
    const at = this.target.resolve(address, length, access)
    this.#listener(address, length, access, at)
    return at
  }

  resolveSpan(address: number, length: number, access: Access): number {
    const at = this.target.resolveSpan(address, length, access)
    this.#listener(address, length, access, at)
    return at
  }
}
