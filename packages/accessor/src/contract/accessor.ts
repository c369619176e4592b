import type { Iotlb } from '@vring/iotlb'
import type { RingAreas } from '@vring/layout'
import type { UserSpace } from '@vring/memory'
import type { SyncPort } from '@vring/mmu-notifier'
import type { Cpu } from '../ports/cpu.ts'
import type { AccessCounters } from './access-counters.ts'
import type { RingLease } from './ring-lease.ts'
import type { Window } from './window.ts'

/**
 * `ready`: go on. `miss`: metadata can't be reached now (an IOTLB miss was queued, or a permission is missing). Stop
 * this round: the device is told to resume when the IOTLB was updated.
 */
export type RoundStatus = 'ready' | 'miss'

/** One way to reach the metadata of one virtqueue. Made by an accessor plugin; serves one queue until closed. */
export interface Accessor {
  readonly name: string
  readonly desc: Window
  readonly driver: Window
  readonly device: Window
  /**
   * Direct access to all areas for a batch, or null. Null: each access needs a step of its own (fence, mask, look-up,
   * lock), and the ring goes by windows. The same object as long as the accessor lives.
   */
  readonly lease: RingLease | null
  /** Metadata prefetch at the start of a round: (re)map, take the lock, fill the metadata IOTLB. */
  beginRound(): RoundStatus
  /** End of a round: release the lock, hand over counters. */
  endRound(): void
  readonly counters: AccessCounters
  /** Gives mappings and registrations back. A second call does nothing. */
  close(): void
}

/** What an accessor is created with. */
export interface AccessorContext {
  readonly cpu: Cpu
  /** The address space that ring addresses belong to (without a device IOTLB). */
  readonly space: UserSpace
  /** Where the areas are, and what the device does with each: what must be mapped, translated and permitted. */
  readonly ring: RingAreas
  /** The device IOTLB when VIRTIO_F_ACCESS_PLATFORM was negotiated, else null. Ring addresses are then IOVAs. */
  readonly iotlb: Iotlb | null
  /** Where an accessor's own shared variables and locks are; left out, in memory. The explorer gives one of its own. */
  readonly port?: SyncPort
}
