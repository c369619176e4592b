import type { MessagePort } from 'node:worker_threads'
import type { PeerCredentials } from '@vring/linux'
import type { AccessorSpec } from '@vring/registry'
import type { FollowerEnd, HomeEnd, SocketRole } from '@vring/vhost-user'
import type { CaptureSpec } from '../config/capture-spec.ts'
import type { MemoryConfig } from '../config/serve-config.ts'
import type { DatapathSpec } from '../datapath/datapath-spec.ts'
import type { LogLevel } from '../log/log.ts'
import type { Snapshot } from '../status/snapshot.ts'

/** What every thread of a device is started with. */
export interface ThreadSettings {
  readonly accessor: AccessorSpec
  /** Accessors and backends beside the built-in ones, see `ServeConfig`. */
  readonly plugins: readonly string[]
  readonly queuePairs: number
  /** See `ServeConfig`. */
  readonly announce: boolean
  /** Threads of the device; number p mod `threads` serves pair p, and number 0 has the socket. */
  readonly threads: number
  readonly datapath: DatapathSpec
  /** Captures that are on from the start. */
  readonly captures: readonly CaptureSpec[]
  /** Virtio features that the backend takes part in. */
  readonly features: bigint
  /** Eventfd that wakes the worker when {@link control} changed. */
  readonly wakeFd: number
  /** Int32 cells, see {@link CONTROL_STOP}. */
  readonly control: SharedArrayBuffer
}

/** What the thread that has the socket, the home of its sessions, is started with, too. */
export interface HomeSeat {
  readonly kind: 'home'
  readonly socket: string
  /** A socket that is open already, in place of the path; null: none. */
  readonly fd: number | null
  readonly role: SocketRole
  readonly memory: MemoryConfig
  /** Commands come here; it is looked at when `wakeFd` wakes the worker. */
  readonly commands: MessagePort
  /** The other threads of the device, from number 1. */
  readonly followers: readonly HomeEnd[]
}

/** What a thread is started with that serves pairs of sessions whose home is another one. */
export interface FollowerSeat {
  readonly kind: 'follower'
  /** Its number, from 1. */
  readonly thread: number
  readonly end: FollowerEnd
}

/** What a worker thread is started with. */
export interface WorkerSettings extends ThreadSettings {
  readonly seat: HomeSeat | FollowerSeat
}

/** What the main thread asks of the worker between two rounds. */
export type WorkerCommand =
  | { readonly kind: 'begin-capture'; readonly spec: CaptureSpec }
  | { readonly kind: 'end-capture'; readonly path: string }

/** What the home asks of the other threads of the device. */
export type DeviceCommand =
  | WorkerCommand
  | { readonly kind: 'snapshot' }
  /** The driver uses the first `count` pairs. */
  | { readonly kind: 'pairs'; readonly count: number }

/** A command with the number that its answer has. */
export interface NumberedCommand {
  readonly number: number
  readonly command: WorkerCommand
}

/** Cell that is 1 when the worker is to stop. */
export const CONTROL_STOP = 0
/** Cell with the number of the last snapshot that was asked for. */
export const CONTROL_SNAPSHOT = 1
export const CONTROL_CELLS = 2

/** What the worker thread tells. */
export type WorkerMessage =
  /** The socket is there (server), or attempts to connect begin (client). */
  | { readonly type: 'ready' }
  /** One line for people. */
  | { readonly type: 'note'; readonly line: string; readonly level?: LogLevel }
  /** The network device of a queue pair was deleted. */
  | { readonly type: 'gone' }
  /** A thread that follows this one does not answer: it is to be ended. */
  | { readonly type: 'overdue'; readonly thread: number }
  | { readonly type: 'opened'; readonly peer: PeerCredentials }
  /** A command was done; or why not. */
  | { readonly type: 'done'; readonly number: number; readonly error: string | null }
  /** A driver's session is over; null: it hung up. */
  | { readonly type: 'closed'; readonly error: string | null }
  | { readonly type: 'snapshot'; readonly request: number; readonly snapshot: Snapshot }
  /** Everything was given back. */
  | { readonly type: 'stopped'; readonly snapshot: Snapshot }
  /** It can't start or go on. */
  | { readonly type: 'failed'; readonly message: string; readonly exitCode: number }
