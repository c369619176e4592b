import type { Iotlb } from '@vring/iotlb'
import type { RingAreas } from '@vring/layout'
import type { UserSpace } from '@vring/memory'
import type { AccessCounters } from './access-counters.ts'
import type { Cpu } from './cpu.ts'
import type { PlainChains } from './plain-chains.ts'
import type { Window } from './window.ts'

/**
 * `ready`: go on. `miss`: metadata can't be reached now (an IOTLB miss was queued, or a permission is missing); stop
 * this round, the device is told to resume when the IOTLB was updated.
 */
export type RoundStatus = 'ready' | 'miss'

/** One way to reach the metadata of one virtqueue. Made by an accessor plugin; serves one queue until closed. */
export interface Accessor {
  readonly name: string
  readonly desc: Window
  readonly avail: Window
  readonly used: Window
  /** Metadata prefetch at the start of a round: (re)map, take the lock, fill the metadata IOTLB. */
  beginRound(): RoundStatus
  /**
   * Loads the chains of `count` avail entries from slot `slot` on (none behind the ring's end) while they are plain: entry
   * and descriptor of one chain after the other, to the columns of `out` from chain `index` on. An accessor that reaches
   * both areas without a check of each access may have it: one loop in place of one for each step. Without it, or behind
   * what it stopped at, the queue goes on by the windows.
   *
   * @returns how many; 0 when the areas can't be reached so now
   */
  loadPlain?(slot: number, count: number, queueSize: number, out: PlainChains, index: number): number
  /** End of a round: mark dirty, release the lock, hand over counters. */
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
  readonly ring: RingAreas
  /** The device IOTLB when VIRTIO_F_ACCESS_PLATFORM was negotiated, else null. Ring addresses are then IOVAs. */
  readonly iotlb: Iotlb | null
}
