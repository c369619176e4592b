import { refused } from '@vring/layout'
import type { GuestRegion, MappedRegion } from '@vring/memory'
import type { MappedMemory, MemoryWindow } from '../host/session-host.ts'
import type { MemoryRegion } from '../messages/payload.ts'
import type { SharedRegion, SharedWindow } from '../threads/shared-memory.ts'

/** A region of the frontend's memory, mapped here. */
export class MemorySlot {
  readonly region: MemoryRegion
  readonly memory: MappedMemory
  /** The file that it is of. */
  readonly file: string
  /** How often it was added: as often it is removed before it goes. */
  claims = 1
  #shared: SharedRegion | null = null

  constructor(region: MemoryRegion, memory: MappedMemory, file: string) {
    this.region = region
    this.memory = memory
    this.file = file
  }

  hasAddresses({ guestAddress, userAddress, size }: MemoryRegion): boolean {
    const { region } = this
    return region.guestAddress === guestAddress && region.userAddress === userAddress && region.size === size
  }

  /** As the guest map takes it. */
  get guestRegion(): GuestRegion {
    const { guestAddress, size, userAddress } = this.region
    return { guestAddress, length: size, userAddress }
  }

  /** As the address space takes it: one region for each window. */
  get mappedRegions(): MappedRegion[] {
    let address = this.region.userAddress
    return this.memory.windows.map(({ length, view, viewOffset }) => {
      const start = address
      address += length
      return { address: start, length, view, viewOffset }
    })
  }

  /**
   * As other threads take it; the same one each time. @throws VringError ERR_UNSUPPORTED: its host maps for one thread
   * only
   */
  get shared(): SharedRegion {
    const { guestAddress, userAddress, size } = this.region
    this.#shared ??= { guestAddress, userAddress, size, windows: this.memory.windows.map(sharedWindow) }
    return this.#shared
  }
}

/** @throws VringError ERR_UNSUPPORTED: its host maps for one thread only */
export function sharedWindow({ handle, viewOffset, length }: MemoryWindow): SharedWindow {
  if (handle === undefined) throw refused('ERR_UNSUPPORTED', 'memory', 'of one thread', 'mappings with a handle')
  return { handle, viewOffset, length }
}
