import type { BrokenReason } from '@vring/virtqueue'

/** What a queue has done, for people and metrics. */
export interface NetQueueReport {
  /** Even: the driver receives; odd: the driver transmits (VirtIO 1.3 section 5.1.2). */
  readonly index: number
  readonly broken: BrokenReason | null
  readonly accesses: Readonly<Record<string, number>>
  /**
   * Of a receive queue: what the driver got, bytes without virtio-net headers. Of a transmit queue null: its backend
   * counts.
   */
  readonly delivered: { readonly frames: number; readonly bytes: number } | null
  /**
   * Frames that the queue itself dropped, by reason: `truncated` (no chain could hold it), `oversize`, `short` (a
   * header and no frame), `disabled` (its ring).
   */
  readonly dropped: Readonly<Record<string, number>>
}
