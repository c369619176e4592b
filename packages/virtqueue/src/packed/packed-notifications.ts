import type { Window } from '@vring/accessor'
import {
  needEvent,
  PACKED_EVENT_BYTES,
  PACKED_EVENT_FLAGS_OFFSET,
  PACKED_EVENT_OFF_WRAP_OFFSET,
  RING_EVENT_FLAGS_DESC,
  RING_EVENT_FLAGS_DISABLE,
  RING_EVENT_FLAGS_ENABLE,
} from '@vring/layout'
import type { RingLog } from '../device-queue.ts'

/**
 * What the two sides of a packed ring ask of each other by their event suppression structures (VirtIO 1.3 sections 2.8.10 and
 * 2.8.14). Its caller orders what it loads and stores.
 */
export class PackedNotifications {
  /** The driver was last asked not to notify. */
  suppressed = false
  private readonly driver: Window
  private readonly device: Window
  private readonly queueSize: number
  private readonly eventIdx: boolean
  private readonly log: RingLog | null
  /** Ring entries published since the driver was last asked whether it wants a notification. */
  private published = 0

  constructor(driver: Window, device: Window, queueSize: number, eventIdx: boolean, log: RingLog | null) {
    this.driver = driver
    this.device = device
    this.queueSize = queueSize
    this.eventIdx = eventIdx
    this.log = log
  }

  start(): void {
    this.published = 0
    this.suppressed = false
  }

  /** `entries` of the ring were used. */
  passUsed(entries: number): void {
    this.published += entries
  }

  /**
   * Does the driver want to be notified of what was used up to slot `nextUsed`, in a lap whose wrap counter is `usedWrap`?
   * Source: Linux virtqueue_kick_prepare_packed, for the other side.
   *
   * @returns 1, 0, or a negative errno
   */
  wanted(nextUsed: number, usedWrap: number): number {
    const { published } = this
    this.published = 0
    const event = this.driver.load32(PACKED_EVENT_OFF_WRAP_OFFSET)
    if (event < 0) return event
    const flags = (event >>> 16) & 3
    if (flags === RING_EVENT_FLAGS_DISABLE) return 0
    if (flags !== RING_EVENT_FLAGS_DESC || !this.eventIdx) return 1
    const offset = event & 0x7fff
    // In the laps of the used position: a descriptor of the other wrap counter lies one lap back.
    const position = ((event >>> 15) & 1) === usedWrap ? offset : offset - this.queueSize
    return needEvent(position & 0xffff, nextUsed & 0xffff, (nextUsed - published) & 0xffff) ? 1 : 0
  }

  /**
   * Asks the driver not to notify.
   *
   * @returns 0 or a negative errno
   */
  suppress(): number {
    this.suppressed = true
    const status = this.device.store16(PACKED_EVENT_FLAGS_OFFSET, RING_EVENT_FLAGS_DISABLE)
    if (status === 0) this.log?.write('device', PACKED_EVENT_FLAGS_OFFSET, 2)
    return status
  }

  /**
   * Asks the driver to notify of what it makes available from slot `slot` of the lap `wrap` on.
   *
   * @returns 0 or a negative errno
   */
  ask(slot: number, wrap: number): number {
    this.suppressed = false
    // One store of both halves: the driver never sees flags that belong to another offset.
    const offWrap = slot | (wrap << 15)
    const flags = this.eventIdx ? RING_EVENT_FLAGS_DESC : RING_EVENT_FLAGS_ENABLE
    const status = this.device.store32(PACKED_EVENT_OFF_WRAP_OFFSET, (offWrap | (flags << 16)) >>> 0)
    if (status === 0) this.log?.write('device', 0, PACKED_EVENT_BYTES)
    return status
  }
}
