import { splitRingAreas } from '@vring/layout'
import type { FrontendQueue } from '@vring/vhost-user'
import { createDriverQueue, type DriverQueue } from '@vring/virtqueue'
import type { TestDriver } from './test-driver.ts'

const GUEST = 0x8000_0000
const HEADER_BYTES = 12
const SLOT_BYTES = 2048
const SLOTS = 256
/** Beyond what a TestDriver uses of its memory: room for three pairs. */
const AREA = 0x28_0000
const AREA_BYTES = 0x8_0000

/** The receive ring of a further queue pair of a driver: buffers are given back as they are looked at. */
export class TestReceiver {
  readonly #driver: TestDriver
  readonly #queue: DriverQueue
  readonly #kick: FrontendQueue
  readonly #slots: number
  #received = 0

  /** @param pair 1 to 3 */
  constructor(driver: TestDriver, pair: number) {
    this.#driver = driver
    const { space, region } = driver.memory
    const at = region.userAddress + 0x2_0000 * pair
    const ring = splitRingAreas(SLOTS, false, at, at + 0x4000, at + 0x8000)
    this.#queue = createDriverQueue({ ring, memory: space, features: driver.frontend.features })
    this.#kick = driver.frontend.startQueue(2 * pair, ring)
    this.#slots = AREA + AREA_BYTES * (pair - 1)
    for (let i = 0; i < SLOTS; i++) this.#add(i)
    this.#queue.publish()
    if (this.#queue.needsKick()) this.#kick.kick.signal()
  }

  /** Frames that arrived since. */
  receive(): Uint8Array[] {
    const frames: Uint8Array[] = []
    const { view } = this.#driver.memory.space
    while (this.#queue.getUsed()) {
      const slot = this.#received++ % SLOTS
      const at = this.#slots + slot * SLOT_BYTES
      frames.push(view.u8.slice(at + HEADER_BYTES, at + this.#queue.usedLength))
      this.#add(slot)
    }
    this.#queue.publish()
    if (frames.length > 0 && this.#queue.needsKick()) this.#kick.kick.signal()
    return frames
  }

  #add(slot: number): void {
    this.#queue.addOne(GUEST + this.#slots + slot * SLOT_BYTES, SLOT_BYTES, true)
  }
}
