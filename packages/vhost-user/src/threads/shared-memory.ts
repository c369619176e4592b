import type { WindowHandle } from '@vring/linux'

/** A part of mapped memory, as another thread of the process is told of it. */
export interface SharedWindow {
  readonly handle: WindowHandle
  /** Byte offset in the window of the part's first byte. */
  readonly viewOffset: number
  /** Bytes. */
  readonly length: number
}

/** A region of the frontend's memory, alike. */
export interface SharedRegion {
  readonly guestAddress: number
  readonly userAddress: number
  /** Bytes. */
  readonly size: number
  /** Neighbours, ascending; together as long as the region. */
  readonly windows: readonly SharedWindow[]
}

/** The frontend's memory as plain data. Who maps it unmaps nothing of it before every thread that was told has let go. */
export interface SharedMemory {
  readonly regions: readonly SharedRegion[]
  /** The bitmap of a migration that runs, or null. */
  readonly log: SharedWindow | null
}

/** From what a thread was told of the frontend's memory to what it is now; plain data. */
export interface SharedMemoryChange {
  readonly removed: readonly SharedRegion[]
  readonly added: readonly SharedRegion[]
  readonly log: SharedWindow | null
}

/** The regions of `now` that are not in `before`, and the other way round; one that is in both is not told again. */
export function changeOf(before: SharedMemory, now: SharedMemory): SharedMemoryChange {
  const kept = new Map(before.regions.map((region) => [region.guestAddress, region]))
  const added = now.regions.filter((region) => {
    const known = kept.get(region.guestAddress)
    const same = known !== undefined && isSame(known, region)
    if (same) kept.delete(region.guestAddress)
    return !same
  })
  return { removed: [...kept.values()], added, log: now.log }
}

function isSame(one: SharedRegion, other: SharedRegion): boolean {
  if (one === other) return true
  return (
    one.userAddress === other.userAddress &&
    one.size === other.size &&
    one.windows.every(({ handle, viewOffset }, i) => {
      const window = other.windows[i]
      return window?.handle.address === handle.address && window.viewOffset === viewOffset
    })
  )
}
