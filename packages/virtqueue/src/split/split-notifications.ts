import type { Window } from '@vring/accessor'
import {
  AVAIL_FLAGS_OFFSET,
  availEventOffset,
  needEvent,
  USED_FLAGS_OFFSET,
  usedEventOffset,
  VIRTQ_AVAIL_F_NO_INTERRUPT,
  VIRTQ_USED_F_NO_NOTIFY,
} from '@vring/layout'
import type { RingLog } from '../device-queue.ts'

/**
 * What the two sides of a split ring ask of each other (VirtIO 1.3 sections 2.7.7 and 2.7.10). They ask by used_event
 * and avail_event with VIRTIO_F_EVENT_IDX, else by a flag each. Its caller orders what it loads and stores.
 */
export class SplitNotifications {
  /** The driver was last asked not to notify. */
  suppressed = false
  private readonly driver: Window
  private readonly device: Window
  private readonly queueSize: number
  private readonly eventIdx: boolean
  private readonly log: RingLog | null
  /** used.idx when the driver was last asked whether it wants a notification. */
  private signalledUsed = 0
  private signalledUsedValid = false

  constructor(driver: Window, device: Window, queueSize: number, eventIdx: boolean, log: RingLog | null) {
    this.driver = driver
    this.device = device
    this.queueSize = queueSize
    this.eventIdx = eventIdx
    this.log = log
  }

  start(): void {
    this.signalledUsedValid = false
    this.suppressed = false
  }

  /** `count` chains were used, up to `usedIdx`: if used_event lags by 2^16 of them, "signalled" is no longer comparable. */
  passUsed(usedIdx: number, count: number): void {
    if (((usedIdx - this.signalledUsed) & 0xffff) < count) this.signalledUsedValid = false
  }

  /** Does the driver want to be notified of what was used up to `usedIdx`? 1, 0, or a negative errno. */
  wanted(usedIdx: number): number {
    if (!this.eventIdx) {
      const flags = this.driver.load16(AVAIL_FLAGS_OFFSET)
      if (flags < 0) return flags
      return (flags & VIRTQ_AVAIL_F_NO_INTERRUPT) === 0 ? 1 : 0
    }
    const oldIdx = this.signalledUsed
    const valid = this.signalledUsedValid
    this.signalledUsed = usedIdx
    this.signalledUsedValid = true
    if (!valid) return 1
    const event = this.driver.load16(usedEventOffset(this.queueSize))
    if (event < 0) return event
    return needEvent(event, usedIdx, oldIdx) ? 1 : 0
  }

  /**
   * Asks the driver not to notify. With EVENT_IDX nothing is written: an old avail_event suppresses by itself.
   *
   * @returns 0 or a negative errno
   */
  suppress(): number {
    this.suppressed = true
    return this.eventIdx ? 0 : this.store(USED_FLAGS_OFFSET, VIRTQ_USED_F_NO_NOTIFY)
  }

  /**
   * Asks the driver to notify of what it makes available beyond `seen`.
   *
   * @returns 0 or a negative errno
   */
  ask(seen: number): number {
    this.suppressed = false
    return this.eventIdx ? this.store(availEventOffset(this.queueSize), seen) : this.store(USED_FLAGS_OFFSET, 0)
  }

  private store(offset: number, value: number): number {
    const status = this.device.store16(offset, value)
    if (status === 0) this.log?.write('device', offset, 2)
    return status
  }
}
