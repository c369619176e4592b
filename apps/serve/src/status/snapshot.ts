/** What the daemon has done since it started, at one moment: what metrics and the status page show. Counts only grow. */
export interface Snapshot {
  /** The session with the driver that is connected, or null. */
  readonly session: SessionSnapshot | null
  /** Sessions that were opened. */
  readonly sessions: number
  /** Why the last session that ended on an error did. */
  readonly lastError: string | null
  /** Sessions that are over, by why: `hang-up`, `refused` (a request), `memory` (pages of it were gone), `thread` (of the device), `system`. */
  readonly sessionEnds: Readonly<Record<string, number>>
  /** Requests that were refused, `SET_VRING_NUM.ring`: the request, and what ended: `answered`, `ring`, `session`. */
  readonly refusals: Readonly<Record<string, number>>
  /** One for each queue pair. */
  readonly pairs: readonly PairSnapshot[]
  /** Captures that run. */
  readonly captures: readonly CaptureSnapshot[]
  /** Frames by verdict of the XDP program in this process, or null when there is none. */
  readonly verdicts: Readonly<Record<string, number>> | null
  /** What that program counted itself, `rxcnt[17]`, or null. */
  readonly programCounts: Readonly<Record<string, number>> | null
  /** Rings that run. */
  readonly queues: readonly QueueSnapshot[]
  /** Rings that broke, by reason. */
  readonly broken: Readonly<Record<string, number>>
  /** Accesses of ring metadata by area and mode, `desc.direct`. */
  readonly accesses: Readonly<Record<string, number>>
  /** Times the driver was told of used buffers. */
  readonly notifications: number
  /** Times a worker slept, or found work in the last look before it, and went on: by a kick or another event. */
  readonly wakeups: number
  /** One for each thread of the device, by number. */
  readonly threads: readonly ThreadSnapshot[]
}

/** What one thread of a device has done. */
export interface ThreadSnapshot {
  readonly thread: number
  readonly notifications: number
  readonly wakeups: number
  /** How long a round that did something took; one round in 16 is timed. */
  readonly round: LatencySnapshot
  /** From the thread's wake-up to the end of the round that handed the driver's frames to the backend. */
  readonly wakeToBackend: LatencySnapshot
}

export interface SessionSnapshot {
  /** ms since 1970. */
  readonly since: number
  /** Negotiated virtio features, hexadecimal. */
  readonly features: string
  /** Bytes of memory that the driver shares. */
  readonly memoryBytes: number
  /** Requests of the driver that were refused. */
  readonly refusals: number
}

/** `tx`: from the driver; `rx`: to the driver. Bytes are without virtio-net headers. */
export interface PairSnapshot {
  readonly backend: string
  /** The device was deleted. */
  readonly gone: boolean
  readonly txFrames: number
  readonly txBytes: number
  readonly txDropped: Readonly<Record<string, number>>
  readonly rxFrames: number
  readonly rxBytes: number
  readonly rxDropped: Readonly<Record<string, number>>
}

/** A capture that runs, for people and metrics. */
export interface CaptureSnapshot {
  readonly path: string
  readonly frames: number
  /** Frames that did not get into it. */
  readonly lost: number
  /** Why frames are lost now, or null. */
  readonly trouble: string | null
}

export interface QueueSnapshot {
  readonly index: number
  /** Why it is broken, or null. */
  readonly broken: string | null
  /** Entries. */
  readonly size: number
  /** The driver lets it have effects. */
  readonly enabled: boolean
}

/** Nanoseconds; zero where nothing was timed. */
export interface LatencySnapshot {
  readonly count: number
  readonly sum: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}
