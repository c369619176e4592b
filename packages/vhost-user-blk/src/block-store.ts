/** Bytes of a sector: the unit of every address on the wire, whatever a block is (VirtIO 1.3 section 5.2.4). */
export const SECTOR_BYTES = 512

/**
 * Where the bytes of a block device are, reached at once: the driver's memory is read and written in place. Offsets and
 * lengths in bytes, multiples of {@link SECTOR_BYTES} inside the store. What a method throws is the request's I/O error.
 */
export interface BlockStore {
  readonly async?: false
  /** Bytes, a multiple of {@link SECTOR_BYTES}; constant. */
  readonly bytes: number
  /** Refuses writes, discards and zeroes. Default false. */
  readonly readOnly?: boolean
  /** Fills the views with the bytes from `offset` on. */
  read(offset: number, into: readonly Uint8Array[]): void
  /** Stores the views from `offset` on. */
  write(offset: number, from: readonly Uint8Array[]): void
  /** Returns when everything that was written before it survives the loss of power. */
  flush(): void
  /** The range is no longer needed: it may read as anything. Absent: discards are done by doing nothing. */
  discard?(offset: number, length: number): void
  /** The range reads as zeroes; `unmap`: it may give its room back. Absent: zeroes are written. */
  writeZeroes?(offset: number, length: number, unmap: boolean): void
}

/**
 * Where the bytes of a block device are, reached later. Each request has a copy of its own: the driver's memory may be gone
 * when it is done. Needs a loop that returns to JavaScript's event loop: `runWorker` of `@vring/vhost-user`.
 */
export interface AsyncBlockStore {
  readonly async: true
  /** Bytes, a multiple of {@link SECTOR_BYTES}; constant. */
  readonly bytes: number
  /** Refuses writes, discards and zeroes. Default false. */
  readonly readOnly?: boolean
  /** Fills the view with the bytes from `offset` on. A rejection is the request's I/O error. */
  read(offset: number, into: Uint8Array): Promise<void>
  write(offset: number, from: Uint8Array): Promise<void>
  flush(): Promise<void>
  discard?(offset: number, length: number): Promise<void>
  writeZeroes?(offset: number, length: number, unmap: boolean): Promise<void>
}
