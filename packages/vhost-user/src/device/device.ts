import type { DeviceIotlb } from '@vring/iotlb'
import type { RingAreas } from '@vring/layout'
import type { DirtyLog, GuestMap, MappedSpace } from '@vring/memory'
import type { InflightPacked } from '../inflight/inflight-packed.ts'
import type { InflightSplit } from '../inflight/inflight-split.ts'
import type { SharedMemory } from '../threads/shared-memory.ts'

/** The frontend's memory, as one session maps it. The objects live as long as the session; their regions change. */
export interface DeviceMemory {
  /** By the frontend's addresses: where rings are. Tells its notifiers before a region goes. */
  readonly space: MappedSpace
  /** By guest-physical addresses: where buffers are. */
  readonly buffers: GuestMap
  /** Takes what the device writes to buffers; notes nothing while no migration runs. */
  readonly dirtyLog: DirtyLog
  /** What is mapped now, for other threads of the process. */
  readonly shared: SharedMemory
}

/** Descriptors by which a driver and a device signal each other about a ring; -1: none. They are the session's. */
export interface QueueEvents {
  readonly kick: number
  readonly call: number
  readonly error: number
  /** There is no kick: the device polls the ring. */
  readonly polled: boolean
}

/** A ring that is about to run. */
export interface StartedVring {
  readonly index: number
  readonly ring: RingAreas
  /**
   * Where to start, as SET_VRING_BASE says it. Split: the next avail index, 16 bits; the used index is in the ring. Packed:
   * next avail slot and wrap counter in bits 0 to 15, next used slot and wrap counter in bits 16 to 31.
   */
  readonly base: number
  /** Negotiated virtio features. */
  readonly features: bigint
  readonly memory: DeviceMemory
  /**
   * Where a split ring's writes to its device area are logged, guest-physical (an IOVA when there is an {@link iotlb});
   * null: nowhere. A packed ring's are logged where its areas are.
   */
  readonly usedLogAddress: number | null
  /** What {@link notify} and {@link signalError} signal by now, for a device that serves the ring in another thread. */
  readonly events: QueueEvents
  /**
   * The driver has kicked since the frontend gave the descriptor, or the ring is polled. Before that a ring is stopped
   * for the vhost-user document ("Ring states"): this project's sessions start it earlier. A ring that goes on after a
   * backend was killed may get no kick any more. But what is in it may not be discarded yet.
   */
  readonly kicked: () => boolean
  /** Tells the driver that buffers were used. Nothing happens when it wants no call. */
  readonly notify: () => void
  /** Tells the frontend, and people, that the ring is broken, and why. Once each time that it starts. */
  readonly signalError: (reason: string) => void
  /**
   * The device IOTLB when VIRTIO_F_ACCESS_PLATFORM was negotiated, else null. Ring addresses are then IOVAs, buffers too.
   * What it misses is asked of the frontend; `onUpdate` tells when to go on.
   */
  readonly iotlb: DeviceIotlb | null
  /**
   * Where requests in flight are noted, for a device that {@link VhostUserDevice.tracksInflight} when the frontend has asked
   * for it; else null. The device begins with what it recovers.
   */
  readonly inflight: InflightSplit | InflightPacked | null
  /** One line for people, about this ring. */
  readonly note: (line: string) => void
}

/** What a device may tell its frontend. */
export interface DeviceLink {
  /**
   * The configuration space changed: the driver is told to read it again (CONFIG_CHANGE_MSG).
   *
   * @returns false when the frontend can't be told: it did not negotiate CONFIG and BACKEND_REQ, or gave no socket
   */
  configChanged(): boolean
}

/**
 * The device of a session: what a network (or any other) device implements to be served over vhost-user.
 *
 * The session calls it from one thread, between rounds. Order: `startQueue` comes before `setQueueEnabled`,
 * `serveQueue` and `armQueue` of a queue, `stopQueue` ends them; `memoryChanged` and every other change come between
 * `quiesce` and `resume`.
 */
export interface VhostUserDevice {
  /** Device ID (VirtIO 1.3 section 5): whose names its feature bits have in messages. */
  readonly deviceId?: number
  /** Virtio features on offer, without VHOST_USER_F_PROTOCOL_FEATURES, which is the session's. */
  readonly features: bigint
  /** Virtqueues; indices are 0 .. queueCount - 1. */
  readonly queueCount: number
  /** What GET_QUEUE_NUM says: queue pairs for a network device, queues for others. */
  readonly queueNum: number
  /** The largest queue it takes, in entries. Default 32768. */
  readonly queueSizeMax?: number
  /**
   * Descriptors that wake the loop beside the kicks (a TAP's, for instance). Looked at before each sleep: replaced, never
   * changed, when one comes or goes.
   */
  readonly wakeFds?: readonly number[]
  /**
   * Descriptors that wake the loop by being writable: what a device waits for that is full. Looked at as
   * {@link wakeFds}.
   */
  readonly roomFds?: readonly number[]
  /** The longest time to sleep, in ms; absent or -1: until something happens. Looked at before each sleep. */
  readonly sleepMs?: number

  /**
   * A ring starts; its areas are inside the memory (IOVAs with VIRTIO_F_ACCESS_PLATFORM).
   *
   * @throws VringError: the message that started it is refused
   */
  startQueue(vring: StartedVring): void
  /**
   * A ring stops: no access to it afterwards. Its memory is still mapped, but no longer in the address space when it
   * stops because of that. Returns where it stopped, as {@link StartedVring.base}.
   */
  stopQueue(index: number): number
  /**
   * A running ring may have effects or not; a disabled one is served without any (VIRTIO-net: drop TX once it was
   * {@link StartedVring.kicked}, hold RX).
   */
  setQueueEnabled(index: number, enabled: boolean): void
  /**
   * Runs one bounded round: of one look's work, where what it does is charged to `work` of `@vring/memory`, which the
   * loop has begun. Returns packets done; 0 lets the loop think of sleeping. Never throws.
   */
  serveQueue(index: number): number
  /** Asks the driver to notify, then looks again. True: there is work, do not sleep. */
  armQueue(index: number): boolean

  /**
   * Bytes of the device's configuration space (VirtIO 1.3 section 2.5). With {@link readConfig} the frontend reads it;
   * without, the frontend has one of its own.
   */
  readonly configBytes?: number
  /** Copies a part of the space, inside it. */
  readConfig?(offset: number, into: Uint8Array): void
  /**
   * The driver writes a part of the space, inside it; or a frontend that restores a migrated device does.
   *
   * @throws VringError: refused
   */
  writeConfig?(offset: number, bytes: Uint8Array, migration: boolean): void
  /** Chains may be in flight for longer than a round, and are noted in {@link StartedVring.inflight}. Default false. */
  readonly tracksInflight?: boolean
  /**
   * The ring is going to stop: takes no more chains, and says whether all that it took were given back. Asked again until it
   * is true, then `stopQueue` follows. Absent: chains are done within their round.
   */
  drainQueue?(index: number): boolean
  /** Everything that a device of the same kind needs to go on as this one: at most 16 MiB. All rings are stopped. */
  saveState?(): Uint8Array
  /**
   * Goes on as the device whose state this is.
   *
   * @throws VringError: refused
   */
  loadState?(state: Uint8Array): void
  /** A session begins; the link is good until {@link reset}. */
  connected?(link: DeviceLink): void

  /** Another thread of the device serves the ring: here it is neither looked at nor waited for. Absent: none does. */
  isElsewhere?(index: number): boolean
  /** Other descriptors signal a running ring from now on; those before are closed after it. */
  queueEvents?(index: number, events: QueueEvents): void
  /** Returns when no thread of the device is inside a round any more. For devices that have threads of their own. */
  quiesce?(): void
  /** Rounds may begin again. */
  resume?(): void
  /** Regions were added or went away. Rings that lost theirs are stopped, and what went away is unmapped, after it. */
  memoryChanged?(memory: DeviceMemory): void
  /** Writes to buffers are logged elsewhere, or no longer. What was written to before is unmapped after it. */
  logChanged?(memory: DeviceMemory): void
  /** The driver's device status (VirtIO 1.3 section 2.1). */
  setStatus?(status: number): void
  /** The MTU that the frontend tells, in bytes. */
  setMtu?(mtu: number): void
  /** Announce this MAC address after a migration: 6 bytes. */
  sendRarp?(mac: Uint8Array): void
  /** Back to the state before the first message: all rings are stopped. */
  reset?(): void
}
