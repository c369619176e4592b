import type { Area } from '@vring/layout'
import type { PagedSpace } from '@vring/memory'

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
