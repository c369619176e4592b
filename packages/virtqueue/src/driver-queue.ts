import type { Window } from '@vring/accessor'
import type { Area, RingAreas } from '@vring/layout'
import type { AddressMap } from '@vring/memory'

/** One buffer of a chain. */
export interface DriverBuffer {
  /** Guest-physical address (or IOVA). */
  readonly address: number
  /** Bytes. */
  readonly length: number
  /** The device writes it. */
  readonly writable?: boolean
}

export interface DriverQueueOptions {
  readonly ring: RingAreas
  /** The driver's own view of the memory that `ring` names. */
  readonly memory: AddressMap
  readonly features: bigint
  /** The memory never moves while the queue lives: areas that are contiguous are translated once. Default false. */
  readonly pinned?: boolean
}

/**
 * The driver side of a virtqueue of either format: a mock driver for tests, benches and frontends. Correct, not hostile:
 * hostile drivers write to {@link windows} as they please.
 */
export interface DriverQueue {
  readonly queueSize: number
  /** The ring areas, for tests that want to write nonsense. */
  readonly windows: Readonly<Record<Area, Window>>
  /** Descriptors that are free. */
  readonly freeCount: number
  /** Id of the last chain that {@link getUsed} returned: what {@link add} gave for it. */
  readonly usedId: number
  /** Bytes the device wrote to it. */
  readonly usedLength: number
  /** What a device starts at to serve this driver: {@link DeviceQueue.base}. */
  readonly base: number
  /**
   * Adds a chain of one buffer. Published by {@link publish}.
   *
   * @returns the chain's id, or -1 when no descriptor is free
   */
  addOne(address: number, length: number, writable: boolean): number
  /**
   * Adds a chain of buffers, device-readable ones first. Published by {@link publish}.
   *
   * @returns the chain's id, or -1 when too few descriptors are free
   */
  add(buffers: readonly DriverBuffer[]): number
  /**
   * Adds one descriptor that names an indirect table of `entries` descriptors at `tableAddress`, which the caller wrote
   * (`encodeIndirectTable`).
   *
   * @returns the chain's id, or -1 when no descriptor is free
   */
  addIndirect(tableAddress: number, entries: number): number
  /** Makes everything added since the last call visible to the device. */
  publish(): void
  /** Does the device want to be notified of what was published? */
  needsKick(): boolean
  /**
   * Takes one used chain back: its id and length are in {@link usedId} and {@link usedLength}.
   *
   * @returns false when there is none
   */
  getUsed(): boolean
  /**
   * Takes all used chains back.
   *
   * @returns how many
   */
  reclaim(): number
  /** Asks the device to notify when one more chain is used, or not at all. */
  setNotification(enabled: boolean): void
}
