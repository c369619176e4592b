import {
  type Access,
  type AddressMap,
  type KernelMapping,
  type MapRefusal,
  type MapRequest,
  type MemoryView,
  memoryView,
  PAGE_BYTES,
  type UserSpace,
} from '@vring/memory'
import type { MmuNotifierRegistry } from '@vring/mmu-notifier'

/** The object of a direct load: the pages of one kernel mapping, as bytes of its view. */
export interface MappedObject {
  /** For people: the area that it was mapped for. */
  readonly name: string
  /** First byte of its first page. */
  readonly start: number
  /** First byte after its last page. */
  readonly end: number
}

/** A range of user addresses that the device has business with. */
export interface KnownRange {
  readonly name: string
  readonly address: number
  /** Bytes. */
  readonly length: number
}

/** What a mispredicting processor has to know of memory: its objects. */
export interface SpeculatedMemory extends AddressMap {
  /** First user address that is none. */
  readonly limit: number
  /** The mapping that an array is over; undefined for one that is no mapping's. */
  mappingOf(words: Uint16Array | Uint32Array): MappedObject | undefined
  /** Does the range lie in memory that the device has business with? */
  isKnown(address: number, length: number): boolean
}

/**
 * An address space whose kernel mappings can be told apart. Each gets a view of its own over the same bytes, so that a
 * load through it names its object.
 */
export class SpeculativeSpace implements UserSpace, SpeculatedMemory {
  readonly limit: number
  readonly notifiers: MmuNotifierRegistry
  readonly #space: UserSpace
  readonly #known: readonly KnownRange[]
  readonly #mapped = new Map<Uint16Array | Uint32Array, MappedObject>()

  constructor(space: UserSpace, known: readonly KnownRange[]) {
    this.limit = space.limit
    this.notifiers = space.notifiers
    this.#space = space
    this.#known = known
  }

  get view(): MemoryView {
    return this.#space.view
  }

  get span(): number {
    return this.#space.span
  }

  resolve(address: number, length: number, access: Access): number {
    return this.#space.resolve(address, length, access)
  }

  resolveSpan(address: number, length: number, access: Access): number {
    return this.#space.resolveSpan(address, length, access)
  }

  mapKernel(request: MapRequest): KernelMapping | MapRefusal {
    const mapping = this.#space.mapKernel(request)
    if (typeof mapping === 'string') return mapping
    const view = memoryView(mapping.view.buffer, mapping.view.shared)
    const first = mapping.base >= 0 ? mapping.base : mapping.offsetOf(0)
    const start = first - (first % PAGE_BYTES)
    const pages = Math.ceil((first - start + request.length) / PAGE_BYTES)
    const name = this.#known.find(({ address }) => address === request.address)?.name ?? 'mapping'
    const object = { name, start, end: start + pages * PAGE_BYTES }
    this.#mapped.set(view.u16, object)
    this.#mapped.set(view.u32, object)
    return {
      view,
      base: mapping.base,
      offsetOf: (offset) => mapping.offsetOf(offset),
      markDirty: () => mapping.markDirty(),
      release: () => mapping.release(),
    }
  }

  /** The mapping that an array is over; undefined for one that is no mapping's. */
  mappingOf(words: Uint16Array | Uint32Array): MappedObject | undefined {
    return this.#mapped.get(words)
  }

  /** Does the range lie in memory that the device has business with? */
  isKnown(address: number, length: number): boolean {
    return this.#known.some((range) => address >= range.address && length <= range.length - (address - range.address))
  }
}
