import type { Bench } from '../bench.ts'
import type { Queue } from '../driver/queue.ts'
import type { Session } from '../driver/session.ts'

/** Entries of a ring that is attacked. */
export const ATTACKED_SIZE = 16
/** No region has this address. */
export const NOWHERE: number = 2 ** 45

/** What a hostile driver does to a ring. */
export interface Attack {
  readonly id: string
  readonly title: string
  readonly features?: readonly number[]
}

/** A device at work, and the guest address of a harmless page. */
export interface AttackRig {
  readonly session: Session
  readonly queue: Queue
  readonly at: number
}

export function attackRig(bench: Bench, features: readonly number[], packed: boolean): AttackRig {
  const session = bench.open({ features, packed })
  const queue = session.startDevice({ size: ATTACKED_SIZE })
  return { session, queue, at: session.memory.guest(session.memory.take(4096, 4096)) }
}

/** Publishes what was added, kicks, and looks that the back-end is still there. */
export function strike({ session, queue }: AttackRig): void {
  queue.ring.publish()
  strikeAsItIs({ session, queue })
}

/** {@link strike} for what was published by hand. */
export function strikeAsItIs({ session, queue }: Pick<AttackRig, 'session' | 'queue'>): void {
  queue.kick()
  queue.settle()
  queue.kick()
  queue.settle(5)
  session.connection.isInStep()
}
