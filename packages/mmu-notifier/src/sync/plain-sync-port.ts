import type { Cell, Lock, SyncPort } from './sync-port.ts'

/** Where locked operations are counted: a part of the accessor's `Cpu` port. */
export interface LockCounter {
  lock(): void
  unlock(): void
}

/**
 * The port that ships. Within one isolate an access, an invalidation and a control message each run to their end. So a
 * lock excludes nothing and a wait has nothing to wait for. Spinlocks and full barriers are one locked operation each,
 * counted where the hardware would pay for them: on every access. The mutex of a round is not counted: every accessor's
 * rounds run under it.
 */
export class PlainSyncPort implements SyncPort {
  private readonly cpu: LockCounter

  constructor(cpu: LockCounter) {
    this.cpu = cpu
  }

  load<T>(cell: Cell<T>): T {
    return cell.value
  }

  loadAcquire<T>(cell: Cell<T>): T {
    return cell.value
  }

  store<T>(cell: Cell<T>, value: T): void {
    cell.value = value
  }

  storeRelease<T>(cell: Cell<T>, value: T): void {
    cell.value = value
  }

  wmb(): void {}

  /** Counted as the one locked instruction that it is on x86: a lock that is held by nothing. */
  mb(): void {
    this.cpu.lock()
    this.cpu.unlock()
  }

  spinLock(_lock: Lock): void {
    this.cpu.lock()
  }

  spinUnlock(_lock: Lock): void {
    this.cpu.unlock()
  }

  mutexLock(_lock: Lock): void {}

  mutexTryLock(_lock: Lock): boolean {
    return true
  }

  mutexUnlock(_lock: Lock): void {}
  rcuReadLock(): void {}
  rcuReadUnlock(): void {}
  synchronizeRcu(): void {}
  waitWhile<T>(_cell: Cell<T>, _value: T): void {}

  object<T extends object>(_key: string, make: () => T): T {
    return make()
  }
}

/** The plain port of what no accessor pays for: nothing is counted. */
export const uncountedSyncPort: SyncPort = new PlainSyncPort({ lock() {}, unlock() {} })
