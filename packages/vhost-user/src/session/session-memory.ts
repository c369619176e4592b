import { isVringError, refused } from '@vring/layout'
import { type DirtyLog, GUEST_SLOTS_MAX, GuestMap, MappedSpace, noDirtyLog } from '@vring/memory'
import type { DeviceMemory } from '../device/device.ts'
import type { MemoryWindow, SessionHost } from '../host/session-host.ts'
import type { MemoryRegion } from '../messages/payload.ts'
import type { SharedMemory } from '../threads/shared-memory.ts'
import { MemorySlot, sharedWindow } from './memory-slot.ts'

/** A dirty log that can be exchanged while devices hold it. */
class SwitchedLog implements DirtyLog {
  target: DirtyLog = noDirtyLog

  write(address: number, length: number): number {
    return this.target.write(address, length)
  }
}

/**
 * The frontend's memory. It maps regions and shows them by user address and by guest address. It gives a mapping back
 * only after it is out of both. Every change is all or nothing. A region that comes or goes by itself costs the same
 * however many there are.
 */
export class SessionMemory implements DeviceMemory {
  readonly space: MappedSpace = new MappedSpace()
  readonly buffers: GuestMap = new GuestMap(this.space, [])
  readonly #log = new SwitchedLog()
  readonly #host: SessionHost
  readonly #onSwap: () => void
  readonly #onLog: () => void
  readonly #bytesMax: number
  /** By guest address, which no two slots share; in the order in which they came. */
  #slots = new Map<number, MemorySlot>()
  /** Bytes of all of them. */
  #bytes = 0
  #logWindow: MemoryWindow | null = null
  readonly #retired: MemorySlot[] = []

  /**
   * @param onSwap called when the regions are new and those that went away are still mapped: rings let go of them
   * @param bytesMax bytes of all regions together, at most; default: what the host has. Mapping costs little, whatever the
   * size; but page tables of what is touched are this process's
   * @param onLog called when the dirty log is another and the one before is still mapped
   */
  constructor(
    host: SessionHost,
    onSwap: () => void,
    bytesMax: number = host.memoryBytes,
    onLog: () => void = () => {},
  ) {
    this.#onLog = onLog
    this.#host = host
    this.#onSwap = onSwap
    this.#bytesMax = bytesMax
  }

  get dirtyLog(): DirtyLog {
    return this.#log
  }

  /** There is none. */
  get isEmpty(): boolean {
    return this.#slots.size === 0
  }

  get regions(): readonly MemoryRegion[] {
    return Array.from(this.#slots.values(), (slot) => slot.region)
  }

  get shared(): SharedMemory {
    return {
      regions: Array.from(this.#slots.values(), (slot) => slot.shared),
      log: this.#logWindow === null ? null : sharedWindow(this.#logWindow),
    }
  }

  /** A region of which pages turned out not to exist; null: none. What a device writes there the driver does not see. */
  get faulted(): MemoryRegion | null {
    for (const { memory, region } of this.#slots.values()) if (memory.faults > 0) return region
    return null
  }

  /** Where the device's writes are noted from now on; `window`: where that is mapped. */
  setDirtyLog(log: DirtyLog, window: MemoryWindow | null = null): void {
    this.#log.target = log
    if (window === this.#logWindow) return
    this.#logWindow = window
    this.#onLog()
  }

  /**
   * Replaces all regions (SET_MEM_TABLE); `fds` has one descriptor for each. A part of a file that is mapped already stays
   * mapped where it is: frontends send the whole table whenever a piece of it changes.
   *
   * @throws VringError; nothing changed then
   */
  replace(regions: readonly MemoryRegion[], fds: readonly number[]): void {
    if (regions.length !== fds.length)
      throw refused('ERR_PROTOCOL', 'descriptors', fds.length, `${regions.length}, one for each region`)
    this.#checkTotal(regions.reduce((sum, region) => sum + region.size, 0))
    const before = this.#slots
    const known = [...before.values()]
    const slots: MemorySlot[] = []
    try {
      for (const [index, region] of regions.entries()) slots.push(this.#slot(region, fds[index]!, known))
      this.#install(slots)
    } catch (error) {
      if (this.#slots === before) {
        const kept = memoriesOf(before.values())
        for (const { memory } of slots) if (!kept.has(memory)) memory.close()
      }
      throw error
    }
  }

  /**
   * Adds a region (ADD_MEM_REG). One that is there already is kept as often as it is added: QEMU sends the region, and
   * later its removal, for each queue pair.
   *
   * @throws VringError; nothing changed then
   */
  add(region: MemoryRegion, fd: number): void {
    const known = this.#slots.get(region.guestAddress)
    if (known?.hasAddresses(region) === true && known.region.mmapOffset === region.mmapOffset) {
      known.claims++
      return
    }
    if (this.#slots.size >= GUEST_SLOTS_MAX)
      throw refused('ERR_OUT_OF_RANGE', 'regions', this.#slots.size + 1, `at most ${GUEST_SLOTS_MAX}`)
    this.#checkTotal(this.#bytes + region.size)
    const slot = this.#slot(region, fd)
    try {
      this.buffers.addRegion(slot.guestRegion)
      try {
        this.space.addRegions(slot.mappedRegions)
      } catch (error) {
        this.buffers.removeRegion(region.guestAddress)
        throw error
      }
    } catch (error) {
      slot.memory.close()
      throw error
    }
    this.#slots.set(region.guestAddress, slot)
    this.#bytes += region.size
    this.#onSwap()
  }

  /**
   * Removes the region with these addresses and this size (REM_MEM_REG), once for each time that it was added; its file
   * offset does not count.
   *
   * @throws VringError ERR_PROTOCOL when there is none
   */
  remove(region: MemoryRegion): void {
    const known = this.#slots.get(region.guestAddress)
    if (known === undefined || !known.hasAddresses(region))
      throw refused('ERR_PROTOCOL', 'region', `0x${region.guestAddress.toString(16)}`, 'a region of the table')
    if (known.claims > 1) {
      known.claims--
      return
    }
    const { guestAddress, userAddress: address, size: length } = known.region
    this.#swap(
      [known],
      () => this.space.removeRange({ address, length }),
      () => {
        this.buffers.removeRegion(guestAddress)
        this.#slots.delete(guestAddress)
        this.#bytes -= length
      },
    )
  }

  /** Gives all of it back; every ring has been stopped. */
  close(): void {
    this.#log.target = noDirtyLog
    try {
      this.#install([])
    } finally {
      for (const slot of this.#retired.splice(0)) slot.memory.close()
    }
  }

  #checkTotal(bytes: number): void {
    if (bytes > this.#bytesMax)
      throw refused('ERR_OUT_OF_RANGE', 'memory', bytes, `at most ${this.#bytesMax} (memoryBytesMax)`)
  }

  /** @param known slots whose mapping may be taken over; one that is goes out of the list */
  #slot(region: MemoryRegion, fd: number, known: MemorySlot[] = []): MemorySlot {
    const { size, mmapOffset } = region
    if (size <= 0) throw refused('ERR_PROTOCOL', 'region size', size, 'at least 1')
    const file = this.#host.fileIdentity(fd)
    const at = known.findIndex(
      (slot) => slot.file === file && slot.region.mmapOffset === mmapOffset && slot.region.size === size,
    )
    const [slot] = at < 0 ? [] : known.splice(at, 1)
    return new MemorySlot(region, slot?.memory ?? this.#host.mapMemory(fd, mmapOffset, size), file)
  }

  #install(slots: readonly MemorySlot[]): void {
    const guestRegions = slots.map((slot) => slot.guestRegion)
    // Checked on a map of its own first: the space and the map change together or not at all.
    new GuestMap(this.space, guestRegions)
    const next = new Map(slots.map((slot) => [slot.region.guestAddress, slot]))
    const kept = memoriesOf(slots)
    const gone = [...this.#slots.values()].filter(({ memory }) => !kept.has(memory))
    this.#swap(
      gone,
      () => this.space.replaceRegions(slots.flatMap((slot) => slot.mappedRegions)),
      () => {
        this.buffers.replaceRegions(guestRegions)
        this.#slots = next
        this.#bytes = slots.reduce((sum, { region }) => sum + region.size, 0)
      },
    )
  }

  /**
   * Takes slots out of the space and then out of the rest, and gives their mappings back when rings have let go of them.
   *
   * @param change of the space, after which a refusal comes too late
   * @param follow the rest of it, which can't be refused
   */
  #swap(gone: MemorySlot[], change: () => void, follow: () => void): void {
    try {
      change()
    } catch (error) {
      // Any other error is a refusal. This one comes after the change: a listener failed to let go of the old regions,
      // so they stay mapped for as long as it may live.
      if (!isVringError(error) || error.code !== 'ERR_NOTIFIER') throw error
      this.#retired.push(...gone.splice(0))
    }
    follow()
    try {
      this.#onSwap()
    } finally {
      for (const slot of gone) slot.memory.close()
    }
  }
}

function memoriesOf(slots: Iterable<MemorySlot>): Set<MemorySlot['memory']> {
  return new Set(Array.from(slots, ({ memory }) => memory))
}
