import { EAGAIN, errnoName, refused, VringError } from '@vring/layout'
import { IntervalNotifierTree } from './interval-notifier-tree.ts'
import type { MmuNotifierOps, MmuNotifierRange, MmuNotifierRegistry, Unregister } from './range-notifier.ts'

/**
 * Who is told the end of an invalidation that a listener refused with -EAGAIN.
 *
 * - `2019`: nobody, not even those whose start succeeded. Source: Linux 5.0 `__mmu_notifier_invalidate_range_start`.
 * - `6.18`: everybody, at once, also the one that refused. Source: Linux 6.18 `mn_hlist_invalidate_range_start`.
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
}

interface Registration {
  readonly ops: MmuNotifierOps
  live: boolean
}

/** Errors of callbacks that are kept until somebody takes them; the rest is counted. */
const FAULTS_MAX = 64

/**
 * The listeners of one address space, and both ends of every invalidation. Ranges nest and run in parallel, so a
 * listener counts them; here each range object is one open invalidation, from its start to its end.
 *
 * A callback never damages the address space: what it throws, and a refusal it had no right to, is kept in
 * {@link faults} with the listener's name, and the invalidation goes on. Source: Linux `mm/mmu_notifier.c`.
 */
export class MmuNotifierList implements MmuNotifierRegistry {
  readonly endRule: EndRule
  /** Interval notifiers of the same address space; they are told before the listeners of this list. */
  readonly intervals: IntervalNotifierTree = new IntervalNotifierTree()
  readonly #admit: (ops: MmuNotifierOps) => number
  /** Newest first, as `hlist_add_head` leaves them. Replaced, never changed, so a walk survives registrations. */
  #registrations: readonly Registration[] = []
  /** Every open invalidation, with those who were told its start. */
  readonly #open = new Map<MmuNotifierRange, readonly Registration[]>()
  #faults: VringError[] = []
  #faultCount = 0
  #released = false

  constructor(options: MmuNotifierListOptions = {}) {
    const endRule = options.endRule ?? '6.18'
    if (endRule !== '2019' && endRule !== '6.18')
      throw refused('ERR_INVALID_ARGUMENT', 'endRule', endRule, "'2019' or '6.18'")
    this.endRule = endRule
    this.#admit = options.admit ?? (() => 0)
  }

  /** Registered listeners. */
  get size(): number {
    return this.#registrations.length
  }

  /** Invalidations that have started and not ended. */
  get openCount(): number {
    return this.#open.size
  }

  /** Faults of callbacks since the list was made, those no longer in {@link faults} too. */
  get faultCount(): number {
    return this.#faultCount
  }

  /** The oldest faults of callbacks that nobody has taken yet: ERR_NOTIFIER, `value` is the listener's name. */
  get faults(): readonly VringError[] {
    return this.#faults
  }

  /** Takes the oldest fault, or null. */
  takeFault(): VringError | null {
    return this.#faults.shift() ?? null
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
    if (this.#released)
      throw new VringError('ERR_NOTIFIER', `listener ${ops.name}: the address space is gone`, { value: ops.name })
    const errno = this.#admit(ops)
    if (errno !== 0)
      throw new VringError('ERR_NOTIFIER', `listener ${ops.name}: registration failed with ${errnoName(errno)}`, {
        field: 'ops',
        value: ops.name,
        cause: errno,
      })
    const registration: Registration = { ops, live: true }
    const told: MmuNotifierRange[] = []
    for (const range of this.#open.keys()) {
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
    for (const range of told) this.#open.set(range, [registration, ...this.#open.get(range)!])
    this.#registrations = [registration, ...this.#registrations]
    return () => {
      if (!registration.live) return
      registration.live = false
      this.#registrations = this.#registrations.filter((other) => other !== registration)
    }
  }

  /**
   * Opens an invalidation: tells every listener, the one registered last first. A listener whose refusal is not
   * -EAGAIN of a non-blockable range is faulty; its refusal is kept in {@link faults}.
   *
   * @returns 0, or -EAGAIN when `range` is not blockable and somebody refused. The invalidation is then not open: its
   * end must not be told.
   * @throws VringError ERR_INVALID_ARGUMENT for an empty range, ERR_INVALID_STATE for one that is open already
   */
  invalidateRangeStart(range: MmuNotifierRange): number {
    const { start, end } = range
    if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start < end))
      throw refused('ERR_INVALID_ARGUMENT', 'range', `[${start}, ${end})`, '0 <= start < end < 2^53')
    if (this.#open.has(range))
      throw new VringError('ERR_INVALID_STATE', 'range is open already: its end was not told', { field: 'range' })
    const status = this.intervals.invalidateStart(range, (error, name) => this.#keepFault(error, name))
    if (status !== 0) return status
    const told = this.#registrations
    let refusal = 0
    this.#open.set(range, told)
    for (const registration of told) {
      if (!registration.live) continue
      if (this.#start(registration, range) !== 0) refusal = EAGAIN
    }
    if (refusal === 0) return 0
    this.#open.delete(range)
    if (this.endRule === '6.18') for (const registration of told) this.#end(registration, range)
    this.intervals.invalidateEnd()
    return refusal
  }

  /**
   * Closes an invalidation: tells the end to those who were told its start and are still registered.
   *
   * @throws VringError ERR_INVALID_STATE for a range that is not open: never started, refused, or ended before
   */
  invalidateRangeEnd(range: MmuNotifierRange): void {
    const told = this.#open.get(range)
    if (told === undefined)
      throw new VringError('ERR_INVALID_STATE', 'range is not open: it was never started, was refused, or has ended', {
        field: 'range',
        value: `[${range.start}, ${range.end})`,
      })
    // Interval notifiers first, as __mmu_notifier_invalidate_range_end does.
    this.intervals.invalidateEnd()
    for (const registration of told) this.#end(registration, range)
    this.#open.delete(range)
  }

  /** The address space goes away: tells every listener and forgets them all. A second call does nothing. */
  release(): void {
    if (this.#released) return
    this.#released = true
    const told = this.#registrations
    this.#registrations = []
    for (const registration of told) {
      if (!registration.live) continue
      registration.live = false
      try {
        registration.ops.release?.()
      } catch (error) {
        this.#keepFault(error, registration.ops.name)
      }
    }
  }

  /** Tells one listener; 0 or -EAGAIN. */
  #start(registration: Registration, range: MmuNotifierRange): number {
    const { ops } = registration
    let status: number
    try {
      status = ops.invalidateRangeStart(range)
    } catch (error) {
      this.#keepFault(error, ops.name)
      return 0
    }
    if (status === 0 || (status === EAGAIN && !range.blockable)) return status
    const allowed = range.blockable ? '0 (the range is blockable)' : '0 or EAGAIN'
    this.#keepFault(new RangeError(`start returned ${errnoName(status)}; accepted: ${allowed}`), ops.name)
    return range.blockable ? 0 : EAGAIN
  }

  #end(registration: Registration, range: MmuNotifierRange): void {
    if (!registration.live) return
    try {
      registration.ops.invalidateRangeEnd(range)
    } catch (error) {
      this.#keepFault(error, registration.ops.name)
    }
  }

  #keepFault(cause: unknown, name: string): void {
    this.#faultCount++
    if (this.#faults.length >= FAULTS_MAX) return
    const reason = cause instanceof Error ? cause.message : String(cause)
    this.#faults.push(
      new VringError('ERR_NOTIFIER', `listener ${name}: ${reason}`, { field: 'listener', value: name, cause }),
    )
  }
}
