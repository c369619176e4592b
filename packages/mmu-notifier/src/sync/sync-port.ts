/** A variable that several threads of a device share: written and read through a {@link SyncPort} only. */
export class Cell<T> {
  value: T
  /** For timelines. */
  readonly name: string

  constructor(name: string, value: T) {
    this.name = name
    this.value = value
  }
}

/** A lock of a device; taken and given back through a {@link SyncPort} only. */
export class Lock {
  /** For timelines. */
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/**
 * Everything a synchronisation strategy shares with other threads goes through this port. So the strategy that ships is
 * the one whose interleavings are explored. Only the port differs.
 *
 * {@link PlainSyncPort} is the shipped one: an isolate runs one access to its end, so locks have nothing to exclude and V8
 * inlines them away. The explorer's port makes each call a point where another thread may run, under a memory model.
 */
export interface SyncPort {
  /** READ_ONCE: no order. */
  load<T>(cell: Cell<T>): T
  /** smp_load_acquire: later accesses stay after it. */
  loadAcquire<T>(cell: Cell<T>): T
  /** WRITE_ONCE: no order. */
  store<T>(cell: Cell<T>, value: T): void
  /** smp_store_release: earlier accesses stay before it. */
  storeRelease<T>(cell: Cell<T>, value: T): void
  /** smp_wmb: earlier stores stay before later stores. */
  wmb(): void
  /** smp_mb: orders everything, an earlier store before a later load too. */
  mb(): void
  /** A spinlock: fair, held for a bounded number of steps, taken in any context. */
  spinLock(lock: Lock): void
  spinUnlock(lock: Lock): void
  /** A mutex: its taker may sleep, and may hold it for a whole round. */
  mutexLock(lock: Lock): void
  /** Takes a mutex if that needs no waiting. */
  mutexTryLock(lock: Lock): boolean
  mutexUnlock(lock: Lock): void
  rcuReadLock(): void
  rcuReadUnlock(): void
  /** Waits until every read side that has begun, of any device, has ended. */
  synchronizeRcu(): void
  /** Waits until the cell holds something else than `value`, then orders as {@link mb}. */
  waitWhile<T>(cell: Cell<T>, value: T): void
  /**
   * Makes an object that others know by its identity. Exploration runs a thread's function again and again; what the
   * function makes for the n-th time must be the same object each time.
   *
   * @param key says what it is, for objects that differ where a thread does something else
   * @param make calls no method of the port
   */
  object<T extends object>(key: string, make: () => T): T
}
