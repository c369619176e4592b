/** What another thread needs to serve a queue of a TAP that this one opened: plain data. */
export interface TapQueueHandle {
  readonly fd: number
  /** Name of the interface. */
  readonly name: string
  /** Number of the queue, from 0. */
  readonly index: number
  /** Bytes of the virtio-net header before frames when it was opened. */
  readonly headerBytes: number
  /** Those bytes now: one number in shared memory, as the kernel keeps one for all queues of an interface. */
  readonly headerNow: Int32Array
  /**
   * Bytes of the longest frame without segmentation offload, now: the MTU, an Ethernet header and two VLAN tags. One number
   * in shared memory, which the opener changes when the interface's MTU changes.
   */
  readonly frameNow: Int32Array
  /** One of several queues: it can be detached. */
  readonly multiQueue: boolean
  /** Frames longer than that come in, to be segmented by the driver. */
  readonly segmentation: boolean
}
