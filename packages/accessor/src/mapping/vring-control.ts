import { type RingAreas, splitRingAreas } from '@vring/layout'
import type { DirectAccessor } from './direct-accessor.ts'

/**
 * The control messages that move a queue's ring, on a running accessor. Each is checked as a whole before anything
 * changes: a refused message leaves the old ring in use, armed as it was.
 * Source: Linux `drivers/vhost/vhost.c`, vhost_vring_set_num_addr; the first of the fixes of August 2019.
 */
export class VringControl {
  readonly #accessor: DirectAccessor
  #ring: RingAreas

  constructor(accessor: DirectAccessor, ring: RingAreas) {
    this.#accessor = accessor
    this.#ring = ring
  }

  /** The ring in use. */
  get ring(): RingAreas {
    return this.#ring
  }

  /**
   * VHOST_SET_VRING_ADDR: the user addresses of the three areas.
   *
   * @throws VringError ERR_OUT_OF_RANGE, ERR_MISALIGNED, ERR_CLOSED
   */
  setVringAddr(desc: number, driver: number, device: number): void {
    const { queueSize, eventIdx } = this.#ring
    this.#set(splitRingAreas(queueSize, eventIdx, desc, driver, device))
  }

  /**
   * VHOST_SET_VRING_NUM: the queue's size in entries; the areas keep their addresses and change their lengths.
   *
   * @throws VringError ERR_OUT_OF_RANGE, ERR_CLOSED
   */
  setVringNum(queueSize: number): void {
    const { eventIdx, desc, driver, device } = this.#ring
    this.#set(splitRingAreas(queueSize, eventIdx, desc.address, driver.address, device.address))
  }

  #set(ring: RingAreas): void {
    this.#accessor.setRing(ring)
    this.#ring = ring
  }
}
