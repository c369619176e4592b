import { EAGAIN } from '@vring/layout'
import type { KernelMapping, MapRefusal, MapRequest } from '@vring/memory'
import {
  type IntervalNotifier,
  IntervalNotifierTree,
  type Lock,
  MmuNotifierList,
  type MmuNotifierListOptions,
  type MmuNotifierRange,
} from '@vring/mmu-notifier'
import { ExploringPort } from '../exploring-port.ts'
import { ExploredMemory, type ExploredParts } from '../paged/explored-memory.ts'
import { ExploredPagedSpace } from '../paged/explored-paged-space.ts'
import { ExploredTlb } from '../paged/explored-tlb.ts'

/** An address space that changes translations and calls no notifier. */
export class SilentMemory extends ExploredMemory {
  override createParts(id: number, options: MmuNotifierListOptions): ExploredParts {
    return { ...super.createParts(id, options), notifiers: new SilentNotifiers({ port: this.port, ...options }) }
  }
}

class SilentNotifiers extends MmuNotifierList {
  override invalidateRangeStart(): number {
    return 0
  }

  override invalidateRangeEnd(): void {}
}

/** The end of an invalidation is told before the translations change. */
export class EarlyEndMemory extends ExploredMemory {
  override createParts(id: number, options: MmuNotifierListOptions): ExploredParts {
    return { ...super.createParts(id, options), notifiers: new EarlyEndNotifiers({ port: this.port, ...options }) }
  }
}

class EarlyEndNotifiers extends MmuNotifierList {
  override invalidateRangeStart(range: MmuNotifierRange): number {
    const status = super.invalidateRangeStart(range)
    if (status === 0) super.invalidateRangeEnd(range)
    return status
  }

  override invalidateRangeEnd(): void {}
}

/** Page-table entries change, and the TLB keeps what they were. */
export class UnflushedMemory extends ExploredMemory {
  override createParts(id: number, options: MmuNotifierListOptions): ExploredParts {
    return { ...super.createParts(id, options), tlb: new UnflushedTlb(this.world, id, () => true) }
  }
}

class UnflushedTlb extends ExploredTlb {
  override flush(): void {}
}

/** Readers of an interval begin while it is being invalidated: the sequence that they retry by is the new one already. */
export class ImpatientMemory extends ExploredMemory {
  override createParts(id: number, options: MmuNotifierListOptions): ExploredParts {
    const { port } = this
    return {
      ...super.createParts(id, options),
      notifiers: new MmuNotifierList({ port, intervals: new ImpatientTree(port), ...options }),
    }
  }
}

class ImpatientTree extends IntervalNotifierTree {
  override readBegin(interval: IntervalNotifier): number {
    const seq = super.readBegin(interval)
    return seq === EAGAIN ? interval.seq : seq
  }
}

/** Readers of an interval publish what they looked up without looking at the sequence again. */
export class TrustingMemory extends ExploredMemory {
  override createParts(id: number, options: MmuNotifierListOptions): ExploredParts {
    const { port } = this
    return {
      ...super.createParts(id, options),
      notifiers: new MmuNotifierList({ port, intervals: new TrustingTree(port), ...options }),
    }
  }
}

class TrustingTree extends IntervalNotifierTree {
  override readRetry(): boolean {
    return false
  }
}

/** Pages are looked up for reading and written to: those shared since a fork are found too. */
export class CarelessLookupSpace extends ExploredPagedSpace {
  override mapKernel(request: MapRequest): KernelMapping | MapRefusal {
    return super.mapKernel({ ...request, write: false })
  }
}

/** Operations and page faults of one address space do not exclude one another. */
export class UnlockedTablesPort extends ExploringPort {
  override spinLock(lock: Lock): void {
    if (lock.name !== 'page table lock') super.spinLock(lock)
  }

  override spinUnlock(lock: Lock): void {
    if (lock.name !== 'page table lock') super.spinUnlock(lock)
  }
}

/** Two invalidations that begin at once note themselves in one list without a lock. */
export class UnlockedListPort extends ExploringPort {
  override spinLock(lock: Lock): void {
    if (lock.name !== 'notifier list lock') super.spinLock(lock)
  }

  override spinUnlock(lock: Lock): void {
    if (lock.name !== 'notifier list lock') super.spinUnlock(lock)
  }
}
