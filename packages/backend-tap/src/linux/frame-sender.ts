/**
 * Sends frames of a batch to a TAP: {@link push} up to {@link room} times, then {@link flush}.
 */
export interface FrameSender {
  readonly io: TapIo
  /** Frames that one batch may hold. */
  readonly room: number
  /**
   * Frames that follow lie in this memory, at a native address, until {@link forget}; called when nothing waits to be
   * flushed.
   */
  use(memory: ArrayBufferLike, address: number): void
  /** Lets go of all memory that was used. */
  forget(): void
  /** Takes a virtio-net header and frame, `length` bytes at a native address, where they stay until {@link flush}. */
  push(address: number, length: number): void
  /**
   * Sends what was taken; everything has left or was refused when this returns.
   *
   * @param refused called for each frame that the kernel refused, with the errno, positive
   */
  flush(refused: (errno: number) => void): void
  close(): void
}

/** How frames cross: io_uring, one system call for a batch, or one readv(2) or writev(2) for each frame. */
export type TapIo = 'io_uring' | 'readv'
