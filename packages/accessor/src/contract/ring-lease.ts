import type { Area } from '@vring/layout'
import type { MemoryView } from '@vring/memory'
import type { AccessCount, AccessCounters } from './access-counters.ts'

/** An accessor's side of a {@link RingLease}. */
export interface LeaseHolder {
  /**
   * Makes all areas reachable until {@link drop}, with their places in the lease ({@link RingLease.place}).
   *
   * @returns false when an area is not mapped, or not contiguous in one view; nothing is then held
   */
  hold(lease: RingLease): boolean
  /** Ends the hold. */
  drop(): void
}

/**
 * Direct access to the areas of a ring for one batch. They are typed arrays and word offsets, valid from a {@link hold}
 * that gave true until its {@link release}. One class for every accessor, so that a ring's loop sees one shape.
 *
 * Inside a hold the ring touches these arrays and private memory and nothing else: no window, no address map, no
 * callback. Anything else can wait for a notifier that waits for the hold.
 */
export class RingLease {
  desc16: Uint16Array = NOTHING_16
  desc32: Uint32Array = NOTHING_32
  /** Index of the descriptor area's first 16-bit word in {@link desc16}. */
  descHalf = 0
  /** Index of its first 32-bit word in {@link desc32}. */
  descWord = 0
  driver16: Uint16Array = NOTHING_16
  driverHalf = 0
  device16: Uint16Array = NOTHING_16
  device32: Uint32Array = NOTHING_32
  deviceHalf = 0
  deviceWord = 0
  private readonly holder: LeaseHolder
  private readonly descCount: AccessCount
  private readonly driverCount: AccessCount
  private readonly deviceCount: AccessCount

  /** @param counters where accesses of a hold are counted, as `direct` */
  constructor(holder: LeaseHolder, counters: AccessCounters) {
    this.holder = holder
    this.descCount = counters.counter('desc', 'direct')
    this.driverCount = counters.counter('driver', 'direct')
    this.deviceCount = counters.counter('device', 'direct')
  }

  /** True: the areas are where the fields say, until {@link release}. False: go by windows, which count the reason. */
  hold(): boolean {
    return this.holder.hold(this)
  }

  /**
   * Ends a hold.
   *
   * @param desc how many accesses it made to the descriptor area; `driver`, `device`: likewise
   */
  release(desc: number, driver: number, device: number): void {
    this.holder.drop()
    this.descCount.add(desc)
    this.driverCount.add(driver)
    this.deviceCount.add(device)
  }

  /** For the holder: `area` begins at byte `base` of `view`. */
  place(area: Area, view: MemoryView, base: number): void {
    const half = base >>> 1
    const word = base >>> 2
    if (area === 'desc') {
      this.desc16 = view.u16
      this.desc32 = view.u32
      this.descHalf = half
      this.descWord = word
    } else if (area === 'driver') {
      this.driver16 = view.u16
      this.driverHalf = half
    } else {
      this.device16 = view.u16
      this.device32 = view.u32
      this.deviceHalf = half
      this.deviceWord = word
    }
  }
}

const NOTHING_16 = new Uint16Array(0)
const NOTHING_32 = new Uint32Array(0)
