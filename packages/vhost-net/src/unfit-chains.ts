import type { DeviceQueue } from '@vring/virtqueue'

/**
 * What a receive ring had on offer when a frame found it too few or too small: it is not walked again for a frame as long, by
 * whatever round, until the driver adds to it.
 */
export class UnfitChains {
  /** The shortest frame with header, in bytes, that found all that was on offer too few or too small; infinity: none. */
  bytes = Number.POSITIVE_INFINITY
  /** Such a frame is dropped, as its driver can't offer more; else it waits. */
  drops = false
  /** Where the ring was, and the first chain of the batch that was not used then. */
  private base = 0
  private next = 0

  note(bytes: number, drops: boolean, next: number): void {
    this.bytes = bytes
    this.drops = drops
    this.next = next
  }

  /** Chains from `next` on went back to the ring. What did not fit the noted ones may fit those after the ones used since. */
  gaveBack(queue: DeviceQueue, next: number): void {
    if (next !== this.next) this.bytes = Number.POSITIVE_INFINITY
    this.base = queue.base & 0xffff
    this.next = 0
  }

  /** None of them was used, and none was added: they are what a frame no shorter would get. */
  remain(queue: DeviceQueue): boolean {
    // What no more would help is dropped without asking for more.
    if ((queue.base & 0xffff) === this.base && (this.drops || queue.hasMore() === 0)) return true
    this.bytes = Number.POSITIVE_INFINITY
    return false
  }
}
