import type { MappedSpace } from '@vring/memory'
import type { RingEvent } from '../host/session-host.ts'

/** What a worker needs of a session: a `BackendSession`, or a `FollowedSession` whose home is another thread. */
export interface WorkerSession {
  readonly memory: { readonly space: MappedSpace }
  /** By queue index. */
  readonly vrings: readonly { readonly kick: RingEvent | null; readonly polled: boolean }[]
  /** Indices of the rings that run, ascending. Replaced, never changed. */
  readonly activeQueues: readonly number[]
  /** Changes whenever {@link activeQueues} or a kick descriptor does. */
  readonly generation: number
  /** Readable when {@link poll} has something to do; negative: it is to be asked each time. */
  readonly fd: number
  readonly closed: boolean
  /** {@link poll} is asked each time. */
  readonly waiting: boolean
  /** How long {@link poll} may be left alone though nothing comes, in ms; -1: for ever. */
  readonly patienceMs: number
  /** More descriptors to wait on, for reading and for writing; -1: none. */
  readonly transferFds: { readonly read: number; readonly write: number }
  /** Handles what is there, a bounded part of it. */
  poll(): 'idle' | 'handled' | 'closed'
  /** Pages of guarded memory were lost, of this session or another. */
  checkMemory(): void
  /** @param error what its device threw */
  close(error?: unknown): void
}
