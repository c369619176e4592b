import { EAGAIN, VringError } from '@vring/layout'
import type {
  IntervalNotifier,
  IntervalNotifierOps,
  IntervalNotifiers,
  MmuNotifierOps,
  MmuNotifierRange,
  MmuNotifierRegistry,
  Unregister,
} from '@vring/mmu-notifier'
import type { ExploredWorld } from './explored-world.ts'

/** How the modelled kernel treats its listeners. */
export interface ModelNotifierOptions {
  /** Registrations fail from the n-th on, counted from 0; default: none does. */
  readonly refuseFrom?: number
  /** Who is told the end of a refused invalidation; default `6.18`: every listener. */
  readonly endRule?: '2019' | '6.18'
  /** A registration waits until no invalidation is open (`mm_take_all_locks`); default true. */
  readonly registerWaits?: boolean
}

interface Opened {
  readonly hits: readonly ModelInterval[]
  readonly seq: number
  readonly listeners: readonly MmuNotifierOps[]
}

/**
 * The listeners of the modelled address space: Linux' rules, with every variable a location of the world. `MmuNotifierList`
 * and `IntervalNotifierTree` are their single-threaded twins.
 */
export class ModelNotifiers implements MmuNotifierRegistry {
  readonly intervals: ModelIntervals
  readonly #world: ExploredWorld
  readonly #options: ModelNotifierOptions
  readonly #listeners: number
  readonly #references: number
  readonly #attempts: number
  readonly #open: number

  constructor(world: ExploredWorld, options: ModelNotifierOptions = {}) {
    this.#world = world
    this.#options = options
    this.intervals = new ModelIntervals(world)
    const { machine } = world
    this.#listeners = machine.location('listeners', [])
    this.#references = machine.location('mm references', 0)
    this.#attempts = machine.location('registrations', 0)
    this.#open = machine.location('open invalidations', 0)
  }

  /** Location of how many invalidations are open. */
  get openLocation(): number {
    return this.#open
  }

  /** Location of the references that listeners hold on the address space. */
  get referencesLocation(): number {
    return this.#references
  }

  register(ops: MmuNotifierOps): Unregister {
    const { refuseFrom = Number.POSITIVE_INFINITY, registerWaits = true } = this.#options
    const registered = this.#world.atomic(
      'mmu_notifier_register',
      (machine) => {
        const attempt = machine.get<number>(this.#attempts)
        machine.set(this.#attempts, Math.min(attempt + 1, 8))
        if (attempt >= refuseFrom) return false
        machine.set(this.#listeners, [...machine.get<readonly MmuNotifierOps[]>(this.#listeners), ops])
        machine.set(this.#references, machine.get<number>(this.#references) + 1)
        return true
      },
      (machine) => !registerWaits || machine.get<number>(this.#open) === 0,
    )
    if (!registered) throw new VringError('ERR_NOTIFIER', `listener ${ops.name}: registration failed`)
    return () => this.unregister(ops)
  }

  /** `mmu_notifier_unregister`: drops a reference, whether one was taken or not. */
  unregister(ops: MmuNotifierOps): void {
    this.#world.atomic('mmu_notifier_unregister', (machine) => {
      const listeners = machine.get<readonly MmuNotifierOps[]>(this.#listeners)
      const references = machine.get<number>(this.#references) - 1
      machine.set(
        this.#listeners,
        listeners.filter((other) => other !== ops),
      )
      machine.set(this.#references, references)
      if (references < 0)
        machine.report('reference-count', 'a reference of the mm is dropped that was not taken (__mmdrop)')
    })
  }

  /**
   * One invalidation of `range` around a change of translations.
   *
   * @returns false when a listener refused: nothing was changed
   */
  invalidate(range: MmuNotifierRange, change: () => void): boolean {
    const world = this.#world
    const { hits, seq, listeners } = world.atomic<Opened>(`invalidate ${name(range)} begins`, (machine) => {
      machine.set(this.#open, machine.get<number>(this.#open) + 1)
      const [found, sequence] = this.intervals.begin(machine, range)
      return { hits: found, seq: sequence, listeners: machine.get<readonly MmuNotifierOps[]>(this.#listeners) }
    })
    let refused = false
    for (const interval of hits) if (!interval.ops.invalidate(interval, range, seq)) refused = true
    for (const ops of listeners) if (ops.invalidateRangeStart(range) !== 0) refused = true
    if (!refused) change()
    const tellEnd = !refused || (this.#options.endRule ?? '6.18') === '6.18'
    const told = world.atomic('invalidation ends', (machine) => {
      this.intervals.end(machine)
      return machine.get<readonly MmuNotifierOps[]>(this.#listeners)
    })
    if (tellEnd) for (const ops of told) ops.invalidateRangeEnd(range)
    world.atomic('invalidation done', (machine) => machine.set(this.#open, machine.get<number>(this.#open) - 1))
    return !refused
  }
}

function name({ start, end, blockable }: MmuNotifierRange): string {
  return `${start.toString(16)}-${end.toString(16)}${blockable ? '' : ' (must not wait)'}`
}

class ModelInterval implements IntervalNotifier {
  readonly start: number
  readonly end: number
  readonly ops: IntervalNotifierOps
  readonly seqLocation: number
  readonly #world: ExploredWorld

  constructor(world: ExploredWorld, start: number, end: number, ops: IntervalNotifierOps) {
    this.start = start
    this.end = end
    this.ops = ops
    this.#world = world
    this.seqLocation = world.machine.location(this, 0)
  }

  get seq(): number {
    return this.#world.machine.get<number>(this.seqLocation)
  }

  setSeq(seq: number): void {
    this.#world.atomic('mmu_interval_set_seq', (machine) => machine.set(this.seqLocation, seq))
  }
}

/** Interval notifiers of the modelled address space. Source: Linux 6.18 `mm/mmu_notifier.c`. */
class ModelIntervals implements IntervalNotifiers {
  readonly #world: ExploredWorld
  readonly #linked: number
  readonly #seq: number
  readonly #active: number
  /** One object for each interval that can exist, so that states compare. */
  readonly #known = new Map<string, ModelInterval>()

  constructor(world: ExploredWorld) {
    this.#world = world
    const { machine } = world
    this.#linked = machine.location('intervals', [])
    this.#seq = machine.location('interval sequence', 2)
    this.#active = machine.location('interval invalidations', 0)
  }

  insert(start: number, length: number, ops: IntervalNotifierOps): IntervalNotifier {
    return this.#world.atomic('mmu_interval_notifier_insert', (machine) => {
      const linked = machine.get<readonly ModelInterval[]>(this.#linked)
      let interval = this.#interval(start, length, ops, 0)
      for (let copy = 1; linked.includes(interval); copy++) interval = this.#interval(start, length, ops, copy)
      let seq = machine.get<number>(this.#seq)
      // The running invalidations have looked before this interval was there: its readers wait for the end of them.
      if (machine.get<number>(this.#active) > 0) {
        seq |= 1
        machine.set(this.#seq, seq)
        machine.set(interval.seqLocation, seq)
      } else machine.set(interval.seqLocation, seq - 1)
      machine.set(this.#linked, [...linked, interval])
      return interval
    })
  }

  remove(interval: IntervalNotifier): number {
    return this.#world.atomic('mmu_interval_notifier_remove', (machine) => {
      const linked = machine.get<readonly ModelInterval[]>(this.#linked)
      machine.set(
        this.#linked,
        linked.filter((other) => other !== interval),
      )
      return 0
    })
  }

  readBegin(interval: IntervalNotifier): number {
    return this.#world.atomic('mmu_interval_read_begin', (machine) => {
      const seq = machine.get<number>((interval as ModelInterval).seqLocation)
      return seq === machine.get<number>(this.#seq) ? EAGAIN : seq
    })
  }

  readRetry(interval: IntervalNotifier, seq: number): boolean {
    return this.#world.atomic(
      'mmu_interval_read_retry',
      (machine) => machine.get<number>((interval as ModelInterval).seqLocation) !== seq,
    )
  }

  /** @internal Within a step: opens an invalidation; the intervals that it hits and the sequence for them. */
  begin(machine: ExploredWorld['machine'], range: MmuNotifierRange): [ModelInterval[], number] {
    machine.set(this.#active, machine.get<number>(this.#active) + 1)
    const hits = machine
      .get<readonly ModelInterval[]>(this.#linked)
      .filter(({ start, end }) => start < range.end && range.start < end)
    if (hits.length > 0) machine.set(this.#seq, machine.get<number>(this.#seq) | 1)
    return [hits, machine.get<number>(this.#seq)]
  }

  /** @internal Within a step: closes one; the last one moves the sequence on. */
  end(machine: ExploredWorld['machine']): void {
    const active = machine.get<number>(this.#active) - 1
    machine.set(this.#active, active)
    const seq = machine.get<number>(this.#seq)
    if (active === 0 && (seq & 1) === 1) machine.set(this.#seq, seq + 1)
  }

  #interval(start: number, length: number, ops: IntervalNotifierOps, copy: number): ModelInterval {
    const key = `${start}+${length}#${copy}`
    let interval = this.#known.get(key)
    if (interval === undefined) {
      interval = new ModelInterval(this.#world, start, start + length, ops)
      this.#known.set(key, interval)
    }
    return interval
  }
}
