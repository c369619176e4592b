import { EAGAIN } from '@vring/layout'
import type { MmuNotifierRange } from '../mmu-notifier-range.ts'
import type { MappingSlot, SlotMapping } from './mapping-slot.ts'
import { RangeSync } from './range-sync.ts'

/**
 * The mutex that the datapath holds for a round anyway. Accesses cost nothing, and the notifier waits for the end of
 * the round. That may itself be waiting for a page. Source: "vhost: access vq metadata through kernel virtual address",
 * V4.
 */
export class MutexSync<M extends SlotMapping> extends RangeSync<M> {
  protected readonly waits: boolean = false

  enter(slot: MappingSlot<M>): M | null {
    return this.port.load(slot.map)
  }

  leave(): void {}

  override invalidateRangeStart(range: MmuNotifierRange): number {
    const { port } = this
    if (range.blockable) port.mutexLock(this.roundMutex)
    else if (!port.mutexTryLock(this.roundMutex)) return this.startWithoutMutex(range)
    const status = super.invalidateRangeStart(range)
    port.mutexUnlock(this.roundMutex)
    return status
  }

  protected quiesce(): void {}

  /** A round runs and must not be waited for: that is a refusal only if the range concerns the ring. */
  protected startWithoutMutex(range: MmuNotifierRange): number {
    const { port } = this
    port.spinLock(this.lock)
    const hit = this.hits(range)
    if (!hit) this.noteStart(range)
    port.spinUnlock(this.lock)
    return hit ? EAGAIN : 0
  }

  override release(): void {
    const { port } = this
    port.mutexLock(this.roundMutex)
    super.release()
    port.mutexUnlock(this.roundMutex)
  }
}
