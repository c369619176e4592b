import type { TapIo } from './frame-sender.ts'

/** Reads frames of a TAP into slots of a buffer of its own. */
export interface FrameReceiver {
  readonly io: TapIo
  /** The slots, {@link slotBytes} each. */
  readonly buffer: ArrayBuffer
  readonly slotBytes: number
  /** Slot of the `index`th frame of the last {@link read}. */
  readonly slot: Uint32Array
  /** Its bytes, header and frame; {@link slotBytes} when it was longer than that. */
  readonly length: Uint32Array
  /** Errno, positive, that ended the last {@link read}; 0: none, or nothing more waits. */
  errno: number
  /**
   * Reads frames that wait, over the ones of the call before. Never waits.
   *
   * @returns how many, at most NET_BATCH
   */
  read(): number
  close(): void
}
