import type { FrameSource, NetBackend } from '@vring/vhost-net'

/** Where the frames of a queue pair go and come from. */
export interface PairEnds {
  readonly backend: NetBackend
  /** Null: the driver receives nothing. */
  readonly source: FrameSource | null
  /** Frames for the driver that the backend dropped, by reason. */
  readonly rxDropped: () => Readonly<Record<string, number>>
  /** Its network device was deleted: its frames are dropped as `gone`. */
  readonly gone: () => boolean
}

/** The backends of all queue pairs, in the thread that serves them. They outlive sessions: devices and counts stay. */
export interface Datapath {
  /** By pair; of those of other threads ends that nothing comes to. */
  readonly pairs: readonly PairEnds[]
  /**
   * Bytes after the Ethernet header that a frame may have now, unless it is a segment; Infinity: there is no network
   * device.
   */
  readonly mtu: () => number
  /** What people should know of it: one line, or null. */
  readonly note: string | null
  /** Frames by verdict, or null without a program in this thread. */
  verdicts(): Readonly<Record<string, number>> | null
  /** What a program in this thread counts itself, by map and key; null without one. */
  programCounts(): Readonly<Record<string, number>> | null
  /** The receive ring of a pair is started and enabled, or no longer: a pair that is not takes no frames. */
  setReceiving(pair: number, receiving: boolean): void
  /** A driver has negotiated these features. */
  negotiated(features: bigint): void
  /** A driver is gone. */
  sessionEnded(): void
  /** Nothing is to be done for a while: write out what has gathered. */
  idle(): void
  close(): void
}

/** What a datapath does that has no device, program or file. */
export const nothing = {
  mtu: () => Number.POSITIVE_INFINITY,
  note: null,
  verdicts: () => null,
  programCounts: () => null,
  setReceiving: () => {},
  negotiated: () => {},
  sessionEnded: () => {},
  idle: () => {},
  close: () => {},
}

export const noDrops = (): Readonly<Record<string, number>> => ({})

export const never = (): boolean => false

export function sink(backend: NetBackend): PairEnds {
  return { backend, source: null, rxDropped: noDrops, gone: never }
}

/** Opens one after the other; when one fails the others are closed. */
export function openAll<Handle, Queue extends { close(): void }>(
  handles: readonly Handle[],
  open: (handle: Handle) => Queue,
): Queue[] {
  const queues: Queue[] = []
  try {
    for (const handle of handles) queues.push(open(handle))
    return queues
  } catch (error) {
    for (const queue of queues) queue.close()
    throw error
  }
}
