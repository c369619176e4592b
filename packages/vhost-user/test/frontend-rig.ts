import { type RingAreas, splitRingAreas } from '@vring/layout'
import { SplitDriverQueue } from '@vring/virtqueue'
import type { FrontendMemory, FrontendQueue, VhostUserFrontend } from '../src/index.ts'

/** Bytes that one ring of 64 entries and its buffers take in {@link startDriver}'s memory. */
const RING_STRIDE = 0x1_0000

/** Where {@link startDriver} puts ring `index`. */
export function ringAt(memory: FrontendMemory, index: number): RingAreas {
  const at = memory.region.userAddress + RING_STRIDE * index
  return splitRingAreas(64, false, at, at + 0x1000, at + 0x2000)
}

/** A driver's queue on a shared ring, with the signals of the frontend. */
export class Driver {
  readonly queue: SplitDriverQueue
  readonly signals: FrontendQueue
  readonly #memory: FrontendMemory

  constructor(frontend: VhostUserFrontend, memory: FrontendMemory, index: number) {
    const ring = ringAt(memory, index)
    this.#memory = memory
    this.queue = new SplitDriverQueue({ ring, memory: memory.space, features: frontend.features })
    this.signals = frontend.startQueue(index, ring)
  }

  /** Makes `count` buffers of 64 bytes available, and kicks if the device wants it. */
  send(count: number): void {
    for (let i = 0; i < count; i++) this.queue.addOne(this.#memory.region.guestAddress + 0x4000 + 64 * i, 64, false)
    this.queue.publish()
    if (this.queue.needsKick()) this.signals.kick.signal()
  }
}
