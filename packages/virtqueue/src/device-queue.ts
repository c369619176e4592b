import type { Accessor, Cpu } from '@vring/accessor'
import type { Area, RingAreas } from '@vring/layout'
import type { AddressMap } from '@vring/memory'
import type { BrokenReason } from './broken-reason.ts'
import type { ChainBatch } from './chain-batch.ts'

/** What a device queue is made of. */
export interface DeviceQueueOptions {
  readonly accessor: Accessor
  readonly cpu: Cpu
  readonly ring: RingAreas
  /** Negotiated feature bits. */
  readonly features: bigint
  /** Where the driver's buffers are: read for indirect tables. */
  readonly buffers: AddressMap
  /** Told of what the device wrote to an area, after it did: the guest-migration log. */
  readonly log?: RingLog | null
  /**
   * Descriptors of the longest chain, in the ring or in its indirect table, empty ones included; default
   * {@link CHAIN_DESCRIPTORS_MAX}.
   */
  readonly chainMax?: number
  /**
   * `mask` (default): an index that the driver gave is masked where it selects a descriptor, so that a mispredicted bound
   * check leads nowhere. `none`: as the ring of 2019, which the speculation checker flags over a direct mapping.
   */
  readonly nospec?: 'mask' | 'none'
}

/** Where the ring's own writes go in the guest-migration log. */
export interface RingLog {
  /** The device wrote `length` bytes at `offset` of an area. */
  write(area: Area, offset: number, length: number): void
}

/**
 * A chain that a device before this one had taken. Split: the index of its head descriptor. Packed: its descriptors as
 * they stood in the ring, four words each, as the ring's may be written over since.
 */
export type TakenChain = number | Uint32Array

/**
 * The device side of a virtqueue, of either format. One `popBatch`, work, a `push` for each chain, `flush`, and a
 * notification where {@link needsNotification} asks for one, between the accessor's `beginRound` and `endRound`.
 *
 * The driver is hostile. Every index and descriptor is fetched once and the copy is checked, every chain is bounded,
 * and a malformed ring latches {@link broken}. The queue then touches no memory until it is set up again.
 *
 * To serve a ring by another accessor, or after a reset, make another queue and `start(old.base)` between two rounds.
 */
export interface DeviceQueue {
  readonly accessor: Accessor
  /** Where the ring is. */
  readonly ring: RingAreas
  readonly queueSize: number
  /** Why the queue is broken, or null. */
  readonly broken: BrokenReason | null
  /**
   * Where the queue is: what vhost-user's GET_VRING_BASE gives. Split: the next avail index, 16 bits. Packed: next avail
   * slot and wrap counter in bits 0 to 15, next used slot and wrap counter in bits 16 to 31.
   */
  readonly base: number
  /** Used chains that are pushed but not published. */
  readonly pending: number
  /**
   * Starts at a {@link base}, inside a round.
   *
   * @returns 0 or a negative errno
   */
  start(base: number): number
  /**
   * Goes back to where the ring says that the device before it stopped, and takes again what was taken and not used.
   * That is all of it by default, for a device that uses chains in the order in which they were made available.
   *
   * @param entries ring entries after that place which are in flight, and are not taken again; 0 to the queue size
   */
  resume(entries?: number): void
  /**
   * Takes up to `max` chains that the driver made available; fewer where a batch is full, or before one that is malformed.
   *
   * @returns how many (0: none), -EAGAIN (a translation is missing: end the round), or a negative errno when the queue
   * is broken
   */
  popBatch(batch: ChainBatch, max: number): number
  /**
   * Reads a chain that a device before this one had taken and not used, as the only one of a batch, inside a round. It
   * goes by the rules of {@link popBatch}. Nothing of the queue changes, and a malformed one does not break it.
   *
   * @returns 1, -EAGAIN (a translation is missing), or another negative errno: it is malformed, or can't be read
   */
  recall(batch: ChainBatch, chain: TakenChain): number
  /**
   * Is more available than the last {@link popBatch} took, inside a round? What it took and was given back is no more.
   *
   * @returns 1, 0, -EAGAIN (a translation is missing) or another negative errno when the queue is broken
   */
  hasMore(): number
  /** Gives the last `count` chains of the last batch back, as if they had not been taken (vhost_discard_vq_desc). */
  rewind(batch: ChainBatch, count: number): void
  /** A chain of a batch is done and the device wrote `length` bytes to it. Published by {@link flush}. */
  push(batch: ChainBatch, chain: number, length: number): void
  /**
   * Publishes what is pending, then the first `count` chains of a batch with nothing written to them: a TX batch is done. Of a
   * batch of readable chains a packed ring keeps the driver's lengths: without WRITE they mean nothing (VirtIO 1.3 section 2.8.4).
   * Where a translation is missing they become pending themselves: done they are, and {@link flush} tells the driver.
   *
   * @returns as {@link flush}
   */
  useBatch(batch: ChainBatch, count: number): number
  /**
   * Publishes what is pending.
   *
   * @returns 0, -EAGAIN (a translation is missing: they stay pending), or a negative errno when the queue is broken
   */
  flush(): number
  /**
   * Does the driver want to be notified of what was published since the last call? When that can't be read, yes: a
   * notification too many is harmless, one too few is a hang.
   */
  needsNotification(): boolean
  /** Asks the driver not to notify: a hint. */
  disableNotification(): void
  /**
   * Asks the driver to notify of what it makes available beyond what was seen, then looks again.
   *
   * @returns 0: sleep until it notifies. 1: there may be more. -EAGAIN (a translation is missing: it was not asked) or
   * another negative errno when the queue is broken
   */
  enableNotification(): number
  /** Latches the queue as broken, keeping the first reason. Returns -EINVAL for the caller to pass on. */
  latch(reason: BrokenReason): number
}
