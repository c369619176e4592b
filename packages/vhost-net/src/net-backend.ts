import type { FrameBatch } from './frame-batch.ts'

/** Counters that every backend keeps. */
export interface NetBackendCounters {
  /** Frames taken from the driver. */
  readonly txFrames: number
  /** Bytes of those frames, without virtio-net headers. */
  readonly txBytes: number
  /** Frames that were refused and dropped, by reason. */
  readonly txDropped: Readonly<Record<string, number>>
}

/**
 * Where frames go. Defined by what a round needs: frames in batches, one flush at the end of each, as tun takes them
 * from vhost-net (TUN_MSG_PTR and one xdp_do_flush).
 */
export interface NetBackend {
  readonly name: string
  /**
   * True for a backend that writes to frames: what a driver made readable for the device is not the device's to change,
   * so each frame is copied first unless the round was told otherwise. Default false.
   */
  readonly needsCopy?: boolean
  /**
   * Takes the first `frames.count` frames. They stay where they are until {@link flush} returns; afterwards the driver
   * owns their memory again. A frame that can't be sent is dropped and counted, not refused.
   *
   * @returns how many were taken; fewer than `count` means "no room now": the rest is offered again in a later round
   */
  transmit(frames: FrameBatch): number
  /**
   * Ends a batch: the driver's memory is not looked at after it. Everything taken has left or was dropped, unless
   * {@link unsent} says otherwise.
   */
  flush(): void
  /**
   * True while the backend holds frames that it was not able to send: another {@link flush} tries again. For backends
   * with a queue of their own towards a device that may be busy. Default false.
   */
  readonly unsent?: boolean
  /**
   * Descriptor that becomes writable (POLLOUT) when a backend that is full has room again, for a loop that sleeps. Absent
   * or negative: none says so now, and it is to be asked again after a short while. Looked at when {@link transmit} took
   * less than it was given, or {@link unsent}.
   */
  readonly roomFd?: number
  /**
   * Lets go of what it keeps of the driver's memory beyond a batch, such as pinned pages: a queue was stopped, and its
   * memory may be gone next.
   */
  forgetMemory?(): void
  readonly counters: NetBackendCounters
  close(): void
}
