import { type Cpu, plainCpu } from '@vring/accessor'
import { PACKED_DESC_BYTES, PACKED_DESC_LEN_OFFSET, type RingAreas } from '@vring/layout'
import type { Access, AddressMap } from '@vring/memory'
import { type ExploredSpace, USER_BASE, userAddress } from './explored-space.ts'
import type { ExploredWorld } from './explored-world.ts'

/**
 * The Cpu port under exploration: each load and store of shared memory is a step of its thread. A user access and its
 * translation are one step, as the hardware's are against a TLB shootdown. One that finds its page absent takes the
 * page fault and starts again. Two words side by side are one value, as a 64-bit access has them; a 32-bit load takes
 * its half. In a packed ring the second half of a descriptor is three values: length, buffer id and flags, which have
 * stores of their own. A load of all of them is then three steps: more than a processor may tear, never less.
 */
export class ExploringCpu implements Cpu {
  readonly #world: ExploredWorld
  readonly #space: ExploredSpace
  /**
   * Replace acquire loads by plain ones, and leave read barriers out: the missing smp_rmb of 22e1992cf7b0 and
   * df9ace7647d4.
   */
  readonly #dropAcquire: boolean
  readonly #packed: boolean

  constructor(world: ExploredWorld, space: ExploredSpace, dropAcquire = false, format: RingAreas['format'] = 'split') {
    this.#world = world
    this.#space = space
    this.#dropAcquire = dropAcquire
    this.#packed = format === 'packed'
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

  rmb(): void {
    const world = this.#world
    // Loads stay in order under the other models, so that a read barrier is no step.
    if (world.machine.model !== 'weak' || this.#dropAcquire) return
    if (world.hasResult) world.take()
    else world.perform({ kind: 'rmb', label: 'rmb' })
  }

  wmb(): void {
    const world = this.#world
    // Stores stay in order under these models, so that a write barrier is no step.
    if (world.machine.model !== 'weak') return
    if (world.hasResult) world.take()
    else world.perform({ kind: 'mb', label: 'wmb' })
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

  indexNospec(index: number, size: number): number {
    return plainCpu.indexNospec(index, size)
  }

  translate(map: AddressMap, address: number, length: number, access: Access): number {
    return map.resolve(address, length, access)
  }

  load16(_words: Uint16Array, index: number): number {
    return this.#load(2 * index, false) as number
  }

  load16Acquire(_words: Uint16Array, index: number): number {
    return this.#load(2 * index, !this.#dropAcquire) as number
  }

  load32(_words: Uint32Array, index: number): number {
    if (this.#isLength(4 * index)) return this.#load(4 * index, false) as number
    return pair(this.#load(4 * (index & ~1), false))[index & 1]!
  }

  load64(_words: Uint32Array, index: number): number {
    const [low, high] = pair(this.#load(4 * index, false))
    return high! * 0x1_0000_0000 + low!
  }

  loadWords(_words: Uint32Array, index: number, out: Uint32Array, at: number, count: number): void {
    for (let word = 0; word < count; word += 2) {
      const offset = 4 * (index + word)
      if (this.#isLength(offset)) {
        out[at + word] = this.#load(offset, false) as number
        out[at + word + 1] =
          ((this.#load(offset + 4, false) as number) | ((this.#load(offset + 6, false) as number) << 16)) >>> 0
        continue
      }
      const values = pair(this.#load(offset, false))
      out[at + word] = values[0]!
      if (word + 1 < count) out[at + word + 1] = values[1]!
    }
  }

  store16(_words: Uint16Array, index: number, value: number): void {
    this.#store(2 * index, value, false)
  }

  store16Release(_words: Uint16Array, index: number, value: number): void {
    this.#store(2 * index, value, true)
  }

  store32(_words: Uint32Array, index: number, value: number): void {
    this.#store32(4 * index, value)
  }

  storeWords(_words: Uint32Array, index: number, from: Uint32Array, at: number, count: number): void {
    for (let word = 0; word < count; word += 2)
      this.#store(4 * (index + word), [from[at + word]!, from[at + word + 1]!], false)
  }

  /** A user access of 16 bits at an address that is no index of a view: the model's driver. */
  storeUser16(address: number, value: number, release = false): void {
    this.#store(address, value, release)
  }

  loadUser16(address: number): number {
    return this.#load(address, false) as number
  }

  storeUser32(address: number, value: number): void {
    this.#store32(address, value)
  }

  /** Stores words in pairs, as the model's driver does. */
  storeUserWords(address: number, words: readonly number[]): void {
    for (let word = 0; word < words.length; word += 2)
      this.#store(address + 4 * word, [words[word]!, words[word + 1]!], false)
  }

  /** Loads two words: 0 and 0 where none were stored. */
  loadUserWords(address: number): readonly number[] {
    return pair(this.#load(address, false))
  }

  copy(): void {
    throw new Error('payload is not part of the explored model')
  }

  lock(): void {}
  unlock(): void {}
  iotlbLookup(): void {}

  /** Is the length of a packed descriptor at an offset? The areas of events are shorter than one. */
  #isLength(offset: number): boolean {
    return this.#packed && offset % PACKED_DESC_BYTES === PACKED_DESC_LEN_OFFSET
  }

  /**
   * A length of a packed descriptor, or a word whose neighbour is never stored: an event suppression structure. In a
   * split ring half of a used element, whose other half stays: one step, that no store of the thread overtakes.
   */
  #store32(offset: number, value: number): void {
    if (this.#packed) this.#store(offset, this.#isLength(offset) ? value : [value, 0], false)
    else while (!this.#storeHalf(offset, value)) if (!this.#space.pageFault(offset, 'write')) return
  }

  #storeHalf(offset: number, value: number): boolean {
    const space = this.#space
    const half = (offset >>> 2) & 1
    const pairAt = offset - (half === USED_PAIR ? 0 : 4)
    const world = this.#world
    if (world.hasResult) return world.take() as boolean
    return world.perform({
      kind: 'atomic',
      label: `write ${where(offset)}`,
      access: true,
      mapped: offset < USER_BASE,
      run: (machine) => {
        space.check(machine, offset, 'write')
        const location = space.locate(machine, pairAt, 'write')
        if (location < 0) return false
        const [id, length] = pair(machine.get(location))
        machine.set(location, half === USED_PAIR ? [value, length] : [id, value])
        space.written(machine, offset)
        return true
      },
    }) as boolean
  }

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
      mapped: offset < USER_BASE,
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
            mapped: offset < USER_BASE,
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

/** What a location of two words holds; nothing was stored yet: zeros. */
function pair(value: unknown): readonly number[] {
  return value === 0 ? ZEROS : (value as readonly number[])
}

/** Used elements begin at odd words of their area. */
const USED_PAIR = 1
const ZEROS: readonly number[] = [0, 0]

/** The port of a device without full barriers: an event or an index may be loaded before a store is visible. */
export class BarrierlessCpu extends ExploringCpu {
  override mb(): void {}
}

function where(offset: number): string {
  return offset >= USER_BASE
    ? `user ${userAddress(offset).toString(16)}`
    : `frame ${Math.floor(offset / 4096)}+${(offset % 4096).toString(16)}`
}
