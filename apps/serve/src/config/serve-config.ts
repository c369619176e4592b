import type { AccessorSpec } from '@vring/registry'
import type { SocketRole } from '@vring/vhost-user'
import type { LogConfig } from '../log/log.ts'
import type { BackendSpec } from './backend-spec.ts'
import type { CaptureSpec } from './capture-spec.ts'

/** What a device of the daemon does, checked. */
export interface ServeConfig {
  /** By which metrics and commands know it; empty: the only one, from arguments. */
  readonly name: string
  /** Path of its vhost-user socket; with {@link fd} that is for people. */
  readonly socket: string
  /** A socket that is open already, or null. */
  readonly fd: number | null
  readonly role: SocketRole
  readonly socketMode: number | null
  readonly socketGroup: string | null
  readonly accessor: AccessorSpec
  /** Packages, paths or `file:` URLs of accessors and backends beside the built-in ones, as the working directory sees them. */
  readonly plugins: readonly string[]
  readonly backend: BackendSpec
  /** `xdp1`, an object file with or without `:PROGRAM`, or null. */
  readonly xdp: string | null
  /** Switch off what hides something from af-xdp. */
  readonly fixOffloads: boolean
  /** MTU of the TAP in bytes; null: as it is. */
  readonly mtu: number | null
  readonly replay: ReplayConfig
  readonly captures: readonly CaptureSpec[]
  readonly queuePairs: number
  /** Offer VIRTIO_NET_F_GUEST_ANNOUNCE, and VIRTIO_NET_F_CTRL_VQ with it. */
  readonly announce: boolean
  /** Threads that its queue pairs are shared out over. */
  readonly threads: number
  readonly memory: MemoryConfig
}

/** What the daemon does, checked. */
export interface DaemonConfig {
  readonly devices: readonly ServeConfig[]
  readonly metrics: MetricsAddress | null
  /** Path of the socket that takes commands, or null. */
  readonly control: string | null
  readonly log: LogConfig
  /** User to go on as once everything is open, or null. */
  readonly user: string | null
}

/** What a driver may share as its memory. */
export interface MemoryConfig {
  readonly files: MemoryFiles
  /** Only files that can't be shortened (F_SEAL_SHRINK). */
  readonly requireSealed: boolean
  /** Bytes of all regions together; null: what this host has. */
  readonly bytesMax: number | null
}

/** What a driver may share unless told otherwise. */
export const DEFAULT_MEMORY: MemoryConfig = { files: 'memory', requireSealed: false, bytesMax: null }

/** `memory`: in memfd, tmpfs and hugetlbfs; `any`: on a local disk too. */
export type MemoryFiles = (typeof MEMORY_FILES)[number]
export const MEMORY_FILES = ['memory', 'any'] as const

/** How a capture is replayed. */
export interface ReplayConfig {
  readonly pace: ReplayPace
  /** Begin again at its end. */
  readonly loop: boolean
  /** The longest gap, ms. */
  readonly maxGapMs: number
}

/** `recorded`: with the gaps of the capture; `asap`: as fast as the driver takes frames. */
export type ReplayPace = (typeof PACES)[number]
export const PACES = ['recorded', 'asap'] as const

export interface MetricsAddress {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
}
