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
