import { refused } from '@vring/layout'
import { CounterSync } from './counter-sync.ts'
import { IntervalSync } from './interval-sync.ts'
import type { MappingSlot, SlotMapping } from './mapping-slot.ts'
import type { MappingSync } from './mapping-sync.ts'
import { MutexSync } from './mutex-sync.ts'
import { RcuSync } from './rcu-sync.ts'
import { SeqcountSync } from './seqcount-sync.ts'
import { SpinlockSync } from './spinlock-sync.ts'
import type { SyncPort } from './sync-port.ts'

/** The strategies by name, in the order of their history. */
export type SyncName = 'mutex' | 'rcu' | 'counter' | 'seqcount' | 'spinlock' | 'interval'

/** All strategies, oldest first. */
export const SYNC_NAMES: readonly SyncName[] = ['mutex', 'rcu', 'counter', 'seqcount', 'spinlock', 'interval']

/**
 * A strategy by name.
 *
 * @throws VringError ERR_UNKNOWN_NAME
 */
export function createSync<M extends SlotMapping>(
  name: string,
  port: SyncPort,
  slots: readonly MappingSlot<M>[],
): MappingSync<M> {
  switch (name) {
    case 'mutex':
      return new MutexSync(port, slots)
    case 'rcu':
      return new RcuSync(port, slots)
    case 'counter':
      return new CounterSync(port, slots)
    case 'seqcount':
      return new SeqcountSync(port, slots)
    case 'spinlock':
      return new SpinlockSync(port, slots)
    case 'interval':
      return new IntervalSync(port, slots)
    default:
      throw refused('ERR_UNKNOWN_NAME', 'sync', name, SYNC_NAMES.join(', '))
  }
}
