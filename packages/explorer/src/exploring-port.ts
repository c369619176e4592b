import type { Cell, Lock, SyncPort } from '@vring/mmu-notifier'
import type { ExploredWorld } from './explored-world.ts'
import type { Machine } from './machine.ts'

interface LockState {
  readonly owner: number | null
  /** Threads that wait, first come first served: locks are fair, as Linux' are. */
  readonly queue: readonly number[]
}

const FREE: LockState = { owner: null, queue: [] }

/** A read side that is open: of which thread, and its how many-th. */
interface ReadSide {
  readonly thread: number
  readonly serial: number
}

/** The port of synchronisation strategies under exploration: each call is a step of its thread. */
export class ExploringPort implements SyncPort {
  readonly #world: ExploredWorld
  readonly #readers: number
  readonly #serials: number

  constructor(world: ExploredWorld) {
    this.#world = world
    this.#readers = world.machine.location('rcu readers', [])
    this.#serials = world.machine.location('rcu serials', [])
  }

  load<T>(cell: Cell<T>): T {
    return this.#load(cell, false)
  }

  loadAcquire<T>(cell: Cell<T>): T {
    return this.#load(cell, true)
  }

  store<T>(cell: Cell<T>, value: T): void {
    this.#store(cell, value, false)
  }

  storeRelease<T>(cell: Cell<T>, value: T): void {
    this.#store(cell, value, true)
  }

  /** {@link store} of what need not be a count: a value below zero is a value, such as -1 for "none". */
  storeValue<T>(cell: Cell<T>, value: T): void {
    this.#store(cell, value, false, false)
  }

  /** {@link load} of what no other thread reaches: no place where one can come in between, and it orders nothing. */
  loadOwn<T>(cell: Cell<T>): T {
    const at = this.#place(cell)
    return this.#world.own<T>(cell.name, (machine) => machine.get<T>(at))
  }

  /** {@link store} of what no other thread reaches. */
  storeOwn<T>(cell: Cell<T>, value: T): void {
    const at = this.#place(cell)
    this.#world.own(cell.name, (machine) => machine.setOwn(at, value))
  }

  /** smp_rmb: earlier loads stay before later loads. */
  rmb(): void {
    if (this.#world.machine.model === 'weak') this.#barrier('rmb')
  }

  wmb(): void {
    if (this.#world.machine.model === 'weak') this.#barrier('wmb')
  }

  mb(): void {
    if (this.#world.machine.model !== 'sc') this.#barrier('mb')
  }

  spinLock(lock: Lock): void {
    this.#lock(lock)
  }

  spinUnlock(lock: Lock): void {
    this.#unlock(lock)
  }

  mutexLock(lock: Lock): void {
    this.#lock(lock)
  }

  /** Within a step: does the thread of the step hold the lock? */
  holds(machine: Machine, lock: Lock): boolean {
    return machine.get<LockState>(this.#place(lock)).owner === machine.thread
  }

  mutexTryLock(lock: Lock): boolean {
    const at = this.#place(lock)
    return this.#world.atomic(`trylock ${lock.name}`, (machine) => {
      const { owner, queue } = machine.get<LockState>(at)
      if (owner !== null || queue.length > 0) return false
      machine.set(at, { owner: machine.thread, queue })
      return true
    })
  }

  mutexUnlock(lock: Lock): void {
    this.#unlock(lock)
  }

  rcuReadLock(): void {
    this.#world.atomic('rcu_read_lock', (machine) => {
      const { thread } = machine
      const serials = machine.get<readonly number[]>(this.#serials)
      const serial = (serials[thread] ?? 0) + 1
      machine.set(
        this.#serials,
        Array.from({ length: Math.max(serials.length, thread + 1) }, (_, at) =>
          at === thread ? serial : (serials[at] ?? 0),
        ),
      )
      machine.set(this.#readers, [...machine.get<readonly ReadSide[]>(this.#readers), { thread, serial }])
    })
  }

  rcuReadUnlock(): void {
    this.#world.atomic('rcu_read_unlock', (machine) => {
      const readers = machine.get<readonly ReadSide[]>(this.#readers)
      const last = readers.findLastIndex(({ thread }) => thread === machine.thread)
      machine.set(
        this.#readers,
        readers.filter((_, at) => at !== last),
      )
    })
  }

  synchronizeRcu(): void {
    const readers = this.#world.atomic('synchronize_rcu begins', (machine) =>
      machine.get<readonly ReadSide[]>(this.#readers),
    )
    const gone = (machine: Machine): boolean =>
      !machine
        .get<readonly ReadSide[]>(this.#readers)
        .some((now) => readers.some(({ thread, serial }) => now.thread === thread && now.serial === serial))
    this.#world.atomic('synchronize_rcu ends', (machine) => machine.orderAll(), gone)
  }

  waitWhile<T>(cell: Cell<T>, value: T): void {
    const at = this.#place(cell)
    this.#world.atomic(
      `wait while ${cell.name} is ${value}`,
      () => {},
      (machine) => machine.get(at) !== value,
    )
  }

  object<T extends object>(key: string, make: () => T): T {
    return this.#world.runner.object(key, make)
  }

  #load<T>(cell: Cell<T>, acquire: boolean): T {
    const world = this.#world
    if (world.hasResult) return world.take() as T
    const at = this.#place(cell)
    return world.perform({ kind: 'load', label: cell.name, locate: () => at, acquire }) as T
  }

  #store<T>(cell: Cell<T>, value: T, release: boolean, isCount = true): void {
    const world = this.#world
    if (world.hasResult) {
      world.take()
      return
    }
    const at = this.#place(cell)
    // Sequences, counts and references: none of them has a meaning below zero.
    const check = (machine: Machine): void => {
      if (isCount && typeof value === 'number' && value < 0)
        machine.report('negative-count', `${cell.name} becomes ${value}`)
    }
    world.perform({ kind: 'store', label: cell.name, locate: () => at, value, release, check })
  }

  #barrier(kind: 'rmb' | 'wmb' | 'mb'): void {
    const world = this.#world
    if (world.hasResult) world.take()
    else world.perform({ kind, label: kind })
  }

  /** Two steps where it has to wait: it stands in line, then it is its turn. */
  #lock(lock: Lock): void {
    const at = this.#place(lock)
    const taken = this.#world.atomic(`lock ${lock.name}`, (machine) => {
      const { owner, queue } = machine.get<LockState>(at)
      const free = owner === null && queue.length === 0
      machine.set(at, free ? { owner: machine.thread, queue } : { owner, queue: [...queue, machine.thread] })
      return free
    })
    if (taken) return
    this.#world.atomic(
      `got ${lock.name}`,
      (machine) => machine.set(at, { owner: machine.thread, queue: machine.get<LockState>(at).queue.slice(1) }),
      (machine) => {
        const { owner, queue } = machine.get<LockState>(at)
        return owner === null && queue[0] === machine.thread
      },
    )
  }

  #unlock(lock: Lock): void {
    const at = this.#place(lock)
    this.#world.atomic(`unlock ${lock.name}`, (machine) => {
      machine.set(at, { owner: null, queue: machine.get<LockState>(at).queue })
    })
  }

  #place(key: Cell<unknown> | Lock | { readonly name: string }): number {
    return this.#world.machine.location(key, 'value' in key ? (key as Cell<unknown>).value : FREE)
  }
}
