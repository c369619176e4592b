import { OneByOneCpu, plainCpu } from '@vring/accessor'
import type { Access, AddressMap, MemoryView } from '@vring/memory'
import { type ExploredSpace, USER_BASE } from './explored-space.ts'
import type { ExploredWorld } from './explored-world.ts'

/**
 * The Cpu port under exploration: each load and store of shared memory is a step of its thread. A user access and its
 * translation are one step, as the hardware's are against a TLB shootdown; one that finds its page absent takes the page
 * fault and starts again. A descriptor, and a used element, is one value: what tears them apart is not explored.
 */
export class ExploringCpu extends OneByOneCpu {
  readonly #world: ExploredWorld
  readonly #space: ExploredSpace
  /** Replace acquire loads by plain ones: the missing smp_rmb of 22e1992cf7b0 and df9ace7647d4. */
  readonly #dropAcquire: boolean

  constructor(world: ExploredWorld, space: ExploredSpace, dropAcquire = false) {
    super()
    this.#world = world
    this.#space = space
    this.#dropAcquire = dropAcquire
  }

  stac(): void {}
  clac(): void {}
  lfence(): void {}

  mb(): void {
    const world = this.#world
    if (world.machine.model === 'sc') return
    if (world.hasResult) world.take()
    else world.perform({ kind: 'mb', label: 'mb' })
  }

  checkLimit(address: number, length: number, limit: number): boolean {
    return plainCpu.checkLimit(address, length, limit)
  }

  predict(condition: boolean): boolean {
    return condition
  }

  mask(value: number, limit: number): number {
    return plainCpu.mask(value, limit)
  }

  translate(map: AddressMap, address: number, length: number, access: Access): number {
    return map.resolve(address, length, access)
  }

  load16(_view: MemoryView, offset: number): number {
    return this.#load(offset, false) as number
  }

  load16Acquire(_view: MemoryView, offset: number): number {
    return this.#load(offset, !this.#dropAcquire) as number
  }

  load32(_view: MemoryView, offset: number): number {
    return this.#load(offset, false) as number
  }

  loadDescriptor(_view: MemoryView, offset: number, out: Uint32Array, index: number): void {
    const words = this.#load(offset, false) as readonly number[] | 0
    for (let word = 0; word < 4; word++) out[index + word] = words === 0 ? 0 : words[word]!
  }

  store16(_view: MemoryView, offset: number, value: number): void {
    this.#store(offset, value, false)
  }

  store16Release(_view: MemoryView, offset: number, value: number): void {
    this.#store(offset, value, true)
  }

  store32(_view: MemoryView, offset: number, value: number): void {
    this.#store(offset, value, false)
  }

  /** Stores a descriptor, as the model's driver does. */
  storeDescriptor(offset: number, words: readonly number[]): void {
    this.#store(offset, words, false)
  }

  storeUsed(_view: MemoryView, offset: number, elements: Uint32Array, index: number, count: number): void {
    for (let element = 0; element < count; element++)
      this.#store(offset + 8 * element, [elements[index + 2 * element]!, elements[index + 2 * element + 1]!], false)
  }

  /** Loads a used element: [id, length], or 0 when none was stored. */
  loadUsed(offset: number): readonly number[] | 0 {
    return this.#load(offset, false) as readonly number[] | 0
  }

  copy(): void {
    throw new Error('payload is not part of the explored model')
  }

  lock(): void {}
  unlock(): void {}
  iotlbLookup(): void {}

  /** A page that goes for good between its translation and the access reads as zero, and takes no write. */
  #load(offset: number, acquire: boolean): unknown {
    const world = this.#world
    for (;;) {
      const value = world.hasResult ? world.take() : this.#performLoad(offset, acquire)
      if (value !== undefined) return value
      if (!this.#space.pageFault(offset, 'read')) return 0
    }
  }

  #performLoad(offset: number, acquire: boolean): unknown {
    const space = this.#space
    return this.#world.perform({
      kind: 'load',
      label: `read ${where(offset)}`,
      access: true,
      acquire,
      locate: (machine) => space.locate(machine, offset, 'read'),
      check: (machine) => space.check(machine, offset, 'read'),
    })
  }

  #store(offset: number, value: unknown, release: boolean): void {
    const space = this.#space
    const world = this.#world
    for (;;) {
      const stored = world.hasResult
        ? world.take()
        : world.perform({
            kind: 'store',
            label: `write ${where(offset)}`,
            access: true,
            value,
            release,
            locate: (machine) => space.locate(machine, offset, 'write'),
            check: (machine) => space.check(machine, offset, 'write'),
            commit: (machine) => space.written(machine, offset),
          })
      if (stored === true || !space.pageFault(offset, 'write')) return
    }
  }
}

function where(offset: number): string {
  return offset >= USER_BASE
    ? `user ${(offset - USER_BASE).toString(16)}`
    : `frame ${Math.floor(offset / 4096)}+${(offset % 4096).toString(16)}`
}
