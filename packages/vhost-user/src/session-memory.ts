import { isVringError, refused } from '@vring/layout'
import { type DirtyLog, GUEST_SLOTS_MAX, GuestMap, type MappedRegion, MappedSpace, noDirtyLog } from '@vring/memory'
import type { DeviceMemory } from './device.ts'
import type { MemoryRegion } from './payload.ts'
import type { MappedMemory, MemoryWindow, SessionHost } from './session-host.ts'
import type { SharedMemory, SharedWindow } from './shared-memory.ts'

interface Slot {
  readonly region: MemoryRegion
  readonly memory: MappedMemory
  /** The file that it is of. */
  readonly file: string
  /** How often it was added: as often it is removed before it goes. */
  claims: number
}

/** A dirty log that can be exchanged while devices hold it. */
class SwitchedLog implements DirtyLog {
  target: DirtyLog = noDirtyLog

  write(address: number, length: number): number {
    return this.target.write(address, length)
  }
}

/**
 * The frontend's memory: maps regions, shows them by user address and by guest address, and gives a mapping back only
 * after it is out of both. Every change is all or nothing.
 */
export class SessionMemory implements DeviceMemory {
  readonly space: MappedSpace = new MappedSpace()
  readonly buffers: GuestMap = new GuestMap(this.space, [])
  readonly #log = new SwitchedLog()
  readonly #host: SessionHost
  readonly #onSwap: () => void
  readonly #onLog: () => void
  readonly #bytesMax: number
  #slots: readonly Slot[] = []
  #logWindow: MemoryWindow | null = null
  readonly #retired: Slot[] = []

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

  get regions(): readonly MemoryRegion[] {
    return this.#slots.map((slot) => slot.region)
  }

  get shared(): SharedMemory {
    const regions = this.#slots.map(({ region: { guestAddress, userAddress, size }, memory }) => ({
      ...{ guestAddress, userAddress, size },
      windows: memory.windows.map(sharedWindow),
    }))
    return { regions, log: this.#logWindow === null ? null : sharedWindow(this.#logWindow) }
  }

  /** A region of which pages turned out not to exist; null: none. What a device writes there the driver does not see. */
  get faulted(): MemoryRegion | null {
    return this.#slots.find(({ memory }) => memory.faults > 0)?.region ?? null
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
    this.#checkTotal(regions)
    const slots: Slot[] = []
    const known = [...this.#slots]
    try {
      for (const [index, region] of regions.entries()) slots.push(this.#map(region, fds[index]!, known))
      this.#install(slots)
    } catch (error) {
      if (this.#slots !== slots) for (const { memory } of slots) if (!this.#holds(memory)) memory.close()
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
    const known = this.#slots.find((slot) => hasAddresses(slot, region) && slot.region.mmapOffset === region.mmapOffset)
    if (known !== undefined) {
      known.claims++
      return
    }
    if (this.#slots.length >= GUEST_SLOTS_MAX)
      throw refused('ERR_OUT_OF_RANGE', 'regions', this.#slots.length + 1, `at most ${GUEST_SLOTS_MAX}`)
    this.#checkTotal([...this.regions, region])
    const slot = this.#map(region, fd)
    try {
      this.#install([...this.#slots, slot])
    } catch (error) {
      if (!this.#slots.includes(slot)) slot.memory.close()
      throw error
    }
  }

  /**
   * Removes the region with these addresses and this size (REM_MEM_REG), once for each time that it was added; its file
   * offset does not count.
   *
   * @throws VringError ERR_PROTOCOL when there is none
   */
  remove(region: MemoryRegion): void {
    const known = this.#slots.find((slot) => hasAddresses(slot, region))
    if (known === undefined)
      throw refused('ERR_PROTOCOL', 'region', `0x${region.guestAddress.toString(16)}`, 'a region of the table')
    if (known.claims > 1) known.claims--
    else this.#install(this.#slots.filter((slot) => slot !== known))
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

  #checkTotal(regions: readonly MemoryRegion[]): void {
    const total = regions.reduce((sum, region) => sum + region.size, 0)
    if (total > this.#bytesMax)
      throw refused('ERR_OUT_OF_RANGE', 'memory', total, `at most ${this.#bytesMax} (memoryBytesMax)`)
  }

  /** @param known slots whose mapping may be taken over; one that is goes out of the list */
  #map(region: MemoryRegion, fd: number, known: Slot[] = []): Slot {
    const { size, mmapOffset } = region
    if (size <= 0) throw refused('ERR_PROTOCOL', 'region size', size, 'at least 1')
    const file = this.#host.fileIdentity(fd)
    const at = known.findIndex(
      (slot) => slot.file === file && slot.region.mmapOffset === mmapOffset && slot.region.size === size,
    )
    const [slot] = at < 0 ? [] : known.splice(at, 1)
    return { region, memory: slot?.memory ?? this.#host.mapMemory(fd, mmapOffset, size), file, claims: 1 }
  }

  #holds(memory: MappedMemory): boolean {
    return this.#slots.some((slot) => slot.memory === memory)
  }

  #install(slots: readonly Slot[]): void {
    const guestRegions = slots.map(({ region }) => ({
      guestAddress: region.guestAddress,
      length: region.size,
      userAddress: region.userAddress,
    }))
    // Checked on a map of its own first: the space and the map change together or not at all.
    new GuestMap(this.space, guestRegions)
    const gone = this.#slots.filter(({ memory }) => !slots.some((slot) => slot.memory === memory))
    try {
      this.space.replaceRegions(slots.flatMap(mappedRegions))
    } catch (error) {
      // Any other error is a refusal. This one comes after the change: a listener failed to let go of the old regions,
      // so they stay mapped for as long as it may live.
      if (!isVringError(error) || error.code !== 'ERR_NOTIFIER') throw error
      this.#retired.push(...gone.splice(0))
    }
    this.#slots = slots
    this.buffers.replaceRegions(guestRegions)
    try {
      this.#onSwap()
    } finally {
      for (const slot of gone) slot.memory.close()
    }
  }
}

function hasAddresses({ region }: Slot, { guestAddress, userAddress, size }: MemoryRegion): boolean {
  return region.guestAddress === guestAddress && region.userAddress === userAddress && region.size === size
}

/** @throws VringError ERR_UNSUPPORTED: its host maps for one thread only */
function sharedWindow({ handle, viewOffset, length }: MemoryWindow): SharedWindow {
  if (handle === undefined) throw refused('ERR_UNSUPPORTED', 'memory', 'of one thread', 'mappings with a handle')
  return { handle, viewOffset, length }
}

/** A slot as the address space takes it: one region for each window. */
function mappedRegions({ region, memory }: Slot): MappedRegion[] {
  let address = region.userAddress
  return memory.windows.map((window) => {
    const start = address
    address += window.length
    return { address: start, length: window.length, view: window.view, viewOffset: window.viewOffset }
  })
}
