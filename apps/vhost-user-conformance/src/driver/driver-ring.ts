import type { SharedMemory } from './shared-memory.ts'

/** A piece of memory that a descriptor names. */
export interface BufferPiece {
  /** Guest address (IOVA with a device IOTLB). */
  readonly address: number | bigint
  /** Bytes. */
  readonly length: number
  readonly writable: boolean
}

/** What the device gave back. */
export interface Used {
  /** As {@link DriverRing.add} returned it. */
  readonly id: number
  /** Bytes that the device says it has written. */
  readonly length: number
}

/** When the driver wants to be told of used buffers. */
export type Interrupts = 'always' | 'never' | { readonly after: number }

/** The driver's half of a virtqueue, in either format: written for the judge, over plain shared memory. */
export interface DriverRing {
  readonly format: 'split' | 'packed'
  readonly memory: SharedMemory
  /** Entries. */
  readonly size: number
  /** Offset of the descriptor area in the memory. */
  readonly desc: number
  /** Offset of the driver area: available ring, or driver event suppression. */
  readonly driver: number
  /** Offset of the device area: used ring, or device event suppression. */
  readonly device: number
  /** Chains that the device has not given back. */
  readonly inFlight: number
  /** What SET_VRING_BASE says for a ring that the device has got this far with. */
  readonly base: number
  /** Descriptors that are free. */
  readonly room: number
  /**
   * Writes a chain; the device may look at it after {@link publish}.
   *
   * @param indirect through a table of its own
   * @returns its id
   */
  add(chain: readonly BufferPiece[], indirect?: boolean): number
  /** Makes available what was added. */
  publish(): void
  /**
   * What the device has used next, or null.
   *
   * @throws CaseFailure for an id that is not in flight
   */
  take(): Used | null
  /** Says when to be told; `after` counts chains from now on and needs EVENT_IDX. */
  wantInterrupts(when: Interrupts): void
  /** Does the device ask for a kick? Without EVENT_IDX: its flag. */
  wantsKick(): boolean
}
