import { plainCpu, type Window } from '@vring/accessor'
import { EFAULT, type RingArea } from '@vring/layout'
import { ACCESS_WRITE, type AddressMap, type MemoryView } from '@vring/memory'

const cpu = plainCpu

/**
 * One area of a ring as the driver reaches it: its own memory, reached as its MMU does. Translated at every access,
 * unless the area is contiguous and `pinned` (memory that never moves, such as a mapping of one's own).
 */
export class GuestWindow implements Window {
  private readonly memory: AddressMap
  private readonly address: number
  private view: MemoryView
  private base: number

  /**
   * @param memory the driver's own view of its memory
   * @param area where the area is in it
   * @param pinned translations never change while this window lives
   */
  constructor(memory: AddressMap, area: RingArea, pinned: boolean) {
    this.memory = memory
    this.address = area.address
    const base = pinned ? memory.resolve(area.address, area.length, ACCESS_WRITE) : -1
    this.view = memory.view
    this.base = base
  }

  load16(offset: number): number {
    const at = this.at(offset, 2)
    return at < 0 ? at : cpu.load16(this.view.u16, at >>> 1)
  }

  load16Acquire(offset: number): number {
    const at = this.at(offset, 2)
    return at < 0 ? at : cpu.load16Acquire(this.view.u16, at >>> 1)
  }

  load32(offset: number): number {
    const at = this.at(offset, 4)
    return at < 0 ? at : cpu.load32(this.view.u32, at >>> 2)
  }

  loadWords(offset: number, out: Uint32Array, index: number, count: number): number {
    for (let word = 0; word < count; word++) {
      const at = this.at(offset + 4 * word, 4)
      if (at < 0) return at
      out[index + word] = cpu.load32(this.view.u32, at >>> 2)
    }
    return 0
  }

  store16(offset: number, value: number): number {
    const at = this.at(offset, 2)
    if (at < 0) return at
    cpu.store16(this.view.u16, at >>> 1, value)
    return 0
  }

  store16Release(offset: number, value: number): number {
    const at = this.at(offset, 2)
    if (at < 0) return at
    cpu.store16Release(this.view.u16, at >>> 1, value)
    return 0
  }

  store32(offset: number, value: number): number {
    const at = this.at(offset, 4)
    if (at < 0) return at
    cpu.store32(this.view.u32, at >>> 2, value)
    return 0
  }

  storeWords(offset: number, words: Uint32Array, index: number, count: number): number {
    for (let word = 0; word < count; word++) {
      const status = this.store32(offset + 4 * word, words[index + word]!)
      if (status < 0) return status
    }
    return 0
  }

  /** Byte offset in view of an aligned access, which no page boundary divides. */
  private at(offset: number, length: number): number {
    const base = this.base
    if (base >= 0) return base + offset
    const at = this.memory.resolve(this.address + offset, length, ACCESS_WRITE)
    this.view = this.memory.view
    return at < 0 ? EFAULT : at
  }
}

/** The driver's windows on all areas of a ring. */
export function guestWindows(
  memory: AddressMap,
  ring: Readonly<Record<'desc' | 'driver' | 'device', RingArea>>,
  pinned: boolean,
): Readonly<Record<'desc' | 'driver' | 'device', Window>> {
  return {
    desc: new GuestWindow(memory, ring.desc, pinned),
    driver: new GuestWindow(memory, ring.driver, pinned),
    device: new GuestWindow(memory, ring.device, pinned),
  }
}
