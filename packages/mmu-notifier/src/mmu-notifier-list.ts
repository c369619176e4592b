import { EAGAIN, errnoName, refused, VringError } from '@vring/layout'
import { IntervalNotifierTree } from './interval-notifier-tree.ts'
import type { MmuNotifierOps, MmuNotifierRegistry, Unregister } from './mmu-notifier.ts'
import type { MmuNotifierRange } from './mmu-notifier-range.ts'
import { NotifierFaults } from './notifier-faults.ts'
import { uncountedSyncPort } from './sync/plain-sync-port.ts'
import { Cell, Lock, type SyncPort } from './sync/sync-port.ts'

/**
 * Who is told the end of an invalidation that a listener refused with -EAGAIN.
 *
 * - `2019`: none, not even those whose start succeeded. Source: Linux 5.0 `__mmu_notifier_invalidate_range_start`.
 * - `6.18`: every listener, at once, also the one that refused. Source: Linux 6.18 `mn_hlist_invalidate_range_start`.
 */
export type EndRule = '2019' | '6.18'

/** What a {@link MmuNotifierList} is made of. */
export interface MmuNotifierListOptions {
  /** Default `6.18`. */
  readonly endRule?: EndRule
  /**
   * Asked before each registration: 0 admits the listener, a negative errno refuses it. This is how a test injects the
   * failure that `mmu_notifier_register` may return (-ENOMEM, -EINTR).
   */
  readonly admit?: (ops: MmuNotifierOps) => number
  /** Through which the list's state is shared; default: one thread. */
  readonly port?: SyncPort
  /** Default: a tree of the same port. */
  readonly intervals?: IntervalNotifierTree
}

/** One registration of a listener, which may have several, one after the other. */
class Registration {
  readonly ops: MmuNotifierOps

  constructor(ops: MmuNotifierOps) {
    this.ops = ops
  }
}

/** An invalidation that has started and not ended, and those who were told its start. */
interface OpenInvalidation {
  readonly range: MmuNotifierRange
  readonly told: readonly Registration[]
}

/**
 * The listeners of one address space, and both ends of every invalidation. Ranges nest and run in parallel, so a
 * listener counts them; here each range object is one open invalidation, from its start to its end.
 *
 * A callback never damages the address space. What it throws, and a refusal it had no right to, is kept in
 * {@link faults} with the listener's name, and the invalidation goes on. Source: Linux `mm/mmu_notifier.c`.
 */
export class MmuNotifierList implements MmuNotifierRegistry {
  readonly endRule: EndRule
  /** Interval notifiers of the same address space; they are told before the listeners of this list. */
  readonly intervals: IntervalNotifierTree
  readonly #admit: (ops: MmuNotifierOps) => number
  readonly #port: SyncPort
  /** Around everything but callbacks. */
  readonly #lock = new Lock('notifier list lock')
  /** Newest first, as `hlist_add_head` leaves them. Replaced, never changed, so a walk survives registrations. */
  readonly #registrations = new Cell<readonly Registration[]>('listeners', [])
  readonly #open = new Cell<readonly OpenInvalidation[]>('open invalidations', [])
  readonly #faults: NotifierFaults
  readonly #released = new Cell('released', false)

  constructor(options: MmuNotifierListOptions = {}) {
    const endRule = options.endRule ?? '6.18'
    if (endRule !== '2019' && endRule !== '6.18')
      throw refused('ERR_INVALID_ARGUMENT', 'endRule', endRule, "'2019' or '6.18'")
    this.endRule = endRule
    this.#admit = options.admit ?? (() => 0)
    this.#port = options.port ?? uncountedSyncPort
    this.#faults = new NotifierFaults(this.#port)
    this.intervals = options.intervals ?? new IntervalNotifierTree(this.#port)
  }

  /** Registered listeners. */
  get size(): number {
    return this.#port.load(this.#registrations).length
  }

  /** Invalidations that have started and not ended. */
  get openCount(): number {
    return this.#port.load(this.#open).length
  }

  /** Faults of callbacks since the list was made, those no longer in {@link faults} too. */
  get faultCount(): number {
    return this.#faults.count
  }

  /** The oldest faults of callbacks that were not taken yet: ERR_NOTIFIER, `value` is the listener's name. */
  get faults(): readonly VringError[] {
    return this.#faults.kept
  }

  /** Takes the oldest fault, or null. */
  takeFault(): VringError | null {
    return this.#faults.take()
  }

  /**
   * Registers a listener.
   *
   * Linux lets a registration wait until no invalidation is open (`mm_take_all_locks`). Nothing waits here: the new
   * listener is told at once of every range that is open, so that it maps none of them.
   *
   * @throws VringError ERR_NOTIFIER when the registration is refused
   */
  register(ops: MmuNotifierOps): Unregister {
    const port = this.#port
    if (port.load(this.#released))
      throw new VringError('ERR_NOTIFIER', `listener ${ops.name}: the address space is gone`, { value: ops.name })
    const errno = this.#admit(ops)
    if (errno !== 0)
      throw new VringError('ERR_NOTIFIER', `listener ${ops.name}: registration failed with ${errnoName(errno)}`, {
        field: 'ops',
        value: ops.name,
        cause: errno,
      })
    const registration = port.object(`registration of ${ops.name}`, () => new Registration(ops))
    const told: MmuNotifierRange[] = []
    for (const { range } of port.load(this.#open)) {
      const status = this.#start(registration, range)
      if (status !== 0) {
        // It refuses a range that can't wait: it is not in, and what it was told of is over for it.
        for (const open of told) this.#end(registration, open)
        throw new VringError('ERR_NOTIFIER', `listener ${ops.name} refused an open range with ${errnoName(status)}`, {
          value: ops.name,
          cause: status,
        })
      }
      told.push(range)
    }
    if (told.length > 0)
      this.#update(this.#open, (open) =>
        open.map((one) => (told.includes(one.range) ? { ...one, told: [registration, ...one.told] } : one)),
      )
    this.#update(this.#registrations, (registrations) => [registration, ...registrations])
    return () => {
      this.#update(this.#registrations, (registrations) => registrations.filter((other) => other !== registration))
    }
  }

  /**
   * Opens an invalidation: tells every listener, the one registered last first. A listener whose refusal is not
   * -EAGAIN of a non-blockable range is faulty; its refusal is kept in {@link faults}.
   *
   * @returns 0, or -EAGAIN when `range` is not blockable and a listener refused. The invalidation is then not open: its
   * end must not be told.
   * @throws VringError ERR_INVALID_ARGUMENT for an empty range, ERR_INVALID_STATE for one that is open already
   */
  invalidateRangeStart(range: MmuNotifierRange): number {
    const { start, end } = range
    if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start < end))
      throw refused('ERR_INVALID_ARGUMENT', 'range', `[${start}, ${end})`, '0 <= start < end < 2^53')
    const port = this.#port
    if (this.#find(range) !== undefined)
      throw new VringError('ERR_INVALID_STATE', `range [${start}, ${end}) is open already: its end was not told`, {
        field: 'range',
        value: `[${start}, ${end})`,
      })
    const status = this.intervals.invalidateStart(range, (error, name) => this.#faults.keep(error, name))
    if (status !== 0) return status
    port.spinLock(this.#lock)
    const told = port.load(this.#registrations)
    port.store(this.#open, [...port.load(this.#open), { range, told }])
    port.spinUnlock(this.#lock)
    let refusal = 0
    for (const registration of told)
      if (this.#isLive(registration) && this.#start(registration, range) !== 0) refusal = EAGAIN
    if (refusal === 0) return 0
    this.#forget(range)
    if (this.endRule === '6.18') this.#endAll(told, range)
    this.intervals.invalidateEnd()
    return refusal
  }

  /**
   * Closes an invalidation: tells the end to those who were told its start and are still registered.
   *
   * @throws VringError ERR_INVALID_STATE for a range that is not open: never started, refused, or ended before
   */
  invalidateRangeEnd(range: MmuNotifierRange): void {
    const open = this.#find(range)
    if (open === undefined)
      throw new VringError(
        'ERR_INVALID_STATE',
        `range [${range.start}, ${range.end}) is not open: never started, refused, or ended`,
        {
          field: 'range',
          value: `[${range.start}, ${range.end})`,
        },
      )
    // Interval notifiers first, as __mmu_notifier_invalidate_range_end does.
    this.intervals.invalidateEnd()
    this.#endAll(open.told, range)
    this.#forget(range)
  }

  /** The address space goes away: tells every listener and forgets them all. A second call does nothing. */
  release(): void {
    const port = this.#port
    if (port.load(this.#released)) return
    port.store(this.#released, true)
    // One by one: a callback may unregister another listener, which is not told then.
    for (let [next] = port.load(this.#registrations); next !== undefined; [next] = port.load(this.#registrations)) {
      const { ops } = next
      this.#update(this.#registrations, (registrations) => registrations.slice(1))
      try {
        ops.release?.()
      } catch (error) {
        this.#faults.keep(error, ops.name)
      }
    }
  }

  #find(range: MmuNotifierRange): OpenInvalidation | undefined {
    return this.#port.load(this.#open).find((open) => open.range === range)
  }

  #forget(range: MmuNotifierRange): void {
    this.#update(this.#open, (open) => open.filter((one) => one.range !== range))
  }

  #isLive(registration: Registration): boolean {
    return this.#port.load(this.#registrations).includes(registration)
  }

  #update<T>(cell: Cell<T>, change: (value: T) => T): void {
    const port = this.#port
    port.spinLock(this.#lock)
    port.store(cell, change(port.load(cell)))
    port.spinUnlock(this.#lock)
  }

  /** Tells one listener; 0 or -EAGAIN. */
  #start(registration: Registration, range: MmuNotifierRange): number {
    const { ops } = registration
    let status: number
    try {
      status = ops.invalidateRangeStart(range)
    } catch (error) {
      this.#faults.keep(error, ops.name)
      return 0
    }
    if (status === 0 || (status === EAGAIN && !range.blockable)) return status
    const allowed = range.blockable ? '0 (the range is blockable)' : '0 or EAGAIN'
    this.#faults.keep(new RangeError(`start returned ${errnoName(status)}; accepted: ${allowed}`), ops.name)
    return range.blockable ? 0 : EAGAIN
  }

  #endAll(told: readonly Registration[], range: MmuNotifierRange): void {
    for (const registration of told) if (this.#isLive(registration)) this.#end(registration, range)
  }

  #end(registration: Registration, range: MmuNotifierRange): void {
    try {
      registration.ops.invalidateRangeEnd(range)
    } catch (error) {
      this.#faults.keep(error, registration.ops.name)
    }
  }
}
