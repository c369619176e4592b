import type { RecordingCpu } from '@vring/accessor'
import type { Area } from '@vring/layout'
import type { Access, AddressMap, MemoryView, PagedSpace } from '@vring/memory'

/** Where an area begins in the driver's address space, and how long it is. */
export interface DriverArea {
  readonly address: number
  /** Bytes. */
  readonly length: number
}

/** The driver's side of a world: its own process, so its accesses go through the page tables, but not under SMAP. */
export class WorldDriver {
  readonly #space: PagedSpace
  readonly #areaOf: (area: Area) => DriverArea

  constructor(space: PagedSpace, areaOf: (area: Area) => DriverArea) {
    this.#space = space
    this.#areaOf = areaOf
  }

  /** Every byte of an area. */
  bytes(area: Area): Uint8Array {
    const { address, length } = this.#areaOf(area)
    return this.#space.read(address, length)
  }

  load16(area: Area, offset: number): number {
    return this.#read(area, offset, 2).getUint16(0, true)
  }

  load32(area: Area, offset: number): number {
    return this.#read(area, offset, 4).getUint32(0, true)
  }

  store16(area: Area, offset: number, value: number): void {
    const bytes = new DataView(new ArrayBuffer(2))
    bytes.setUint16(0, value, true)
    this.store(area, offset, new Uint8Array(bytes.buffer))
  }

  store32(area: Area, offset: number, value: number): void {
    const bytes = new DataView(new ArrayBuffer(4))
    bytes.setUint32(0, value, true)
    this.store(area, offset, new Uint8Array(bytes.buffer))
  }

  store(area: Area, offset: number, bytes: Uint8Array): void {
    this.#space.write(this.#areaOf(area).address + offset, bytes)
  }

  #read(area: Area, offset: number, length: number): DataView {
    return new DataView(this.#space.read(this.#areaOf(area).address + offset, length).buffer)
  }
}

/** A process's memory as the process itself reaches it: its page tables and page faults, and no SMAP. */
export class DriverMemory implements AddressMap {
  readonly #space: PagedSpace
  readonly #cpu: RecordingCpu

  constructor(space: PagedSpace, cpu: RecordingCpu) {
    this.#space = space
    this.#cpu = cpu
  }

  get view(): MemoryView {
    return this.#space.view
  }

  get span(): number {
    return this.#space.span
  }

  resolve(address: number, length: number, access: Access): number {
    return this.#inUser(() => this.#space.resolve(address, length, access))
  }

  resolveSpan(address: number, length: number, access: Access): number {
    return this.#inUser(() => this.#space.resolveSpan(address, length, access))
  }

  #inUser(resolve: () => number): number {
    const { ac } = this.#cpu
    this.#cpu.ac = true
    const at = resolve()
    this.#cpu.ac = ac
    return at
  }
}
