import type { RingAreas } from '@vring/layout'
import type { QueueEvents } from '../device/device.ts'
import type { SharedMemoryChange } from './shared-memory.ts'

/** A ring that starts in another thread: what of `StartedVring` is data. */
export interface SharedVring {
  readonly index: number
  readonly ring: RingAreas
  readonly base: number
  readonly features: bigint
  readonly usedLogAddress: number | null
  readonly events: QueueEvents
}

/** What the home of a session has a thread do that follows it. Plain data. */
export type ThreadCommand =
  /** Stand between two rounds; from here on only commands are looked at. */
  | { readonly kind: 'quiesce' }
  | { readonly kind: 'resume' }
  /** Nothing of what is removed is looked at after this one is answered. */
  | { readonly kind: 'memory'; readonly change: SharedMemoryChange }
  | { readonly kind: 'start'; readonly vring: SharedVring }
  /** The answer is the ring's base. */
  | { readonly kind: 'stop'; readonly index: number }
  | { readonly kind: 'enable'; readonly index: number; readonly enabled: boolean }
  | { readonly kind: 'events'; readonly index: number; readonly events: QueueEvents }
  /** `VhostUserDevice.reset`. */
  | { readonly kind: 'reset' }
  /** Of the device's own. */
  | { readonly kind: 'device'; readonly data: unknown }
