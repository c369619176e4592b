import { Cell } from '@vring/mmu-notifier'
import type { ExploredWorld } from '../explored-world.ts'
import type { ExploringPort } from '../exploring-port.ts'

/** What is known of the fields of an accessor, from one exploration to the next: both sets only grow. */
export interface FieldKnowledge {
  /** Fields that are stored to once the accessor is made, by path: `driver.map`. */
  readonly stored: Set<string>
  /** Fields that more than one thread reaches. */
  readonly contended: Set<string>
}

/** Not followed: their state is not of this accessor, or is no field. */
const OPAQUE: readonly unknown[] = [Map, Set, WeakMap, WeakSet, ArrayBuffer, DataView, Promise]

/**
 * Makes the fields of an accessor variables of the explored world. So each thread finds what the schedule left there
 * and not what another schedule did. A field that no one stores to stays what it is; one of a single thread is no place
 * where others can come in between. What that is comes out while schedules run: {@link FieldKnowledge} then grows, and
 * the exploration begins again.
 *
 * Fields of objects, classes and arrays of objects are followed. Private names (`#map`), variables of closures,
 * elements of arrays and contents of maps are out of sight.
 */
export class SharedFields {
  /** The thread whose function runs; -1: setup or the end. */
  thread = -1
  readonly #world: ExploredWorld
  readonly #port: ExploringPort
  readonly #known: FieldKnowledge
  readonly #reachedBy = new Map<string, number>()
  /** What the running function loaded of a contended field last: by it a decrement is told from a value such as -1. */
  readonly #loaded = new Map<string, unknown>()

  constructor(world: ExploredWorld, port: ExploringPort, known: FieldKnowledge) {
    this.#world = world
    this.#port = port
    this.#known = known
  }

  /** @param apart objects that are left alone, and not followed */
  share(root: object, apart: readonly unknown[]): void {
    this.#follow(root, '', new Set<unknown>(apart))
  }

  #follow(object: object, path: string, seen: Set<unknown>): void {
    seen.add(object)
    if (Array.isArray(object)) {
      for (const [index, element] of object.entries()) this.#followValue(element, `${path}[${index}]`, seen)
      return
    }
    for (const [name, { value, writable, configurable }] of Object.entries(Object.getOwnPropertyDescriptors(object))) {
      if (typeof value === 'function') continue
      const field = path === '' ? name : `${path}.${name}`
      if (writable === true && configurable === true) this.#define(object, name, field, value)
      this.#followValue(value, field, seen)
    }
  }

  #followValue(value: unknown, path: string, seen: Set<unknown>): void {
    if (typeof value !== 'object' || value === null || seen.has(value) || ArrayBuffer.isView(value)) return
    if (OPAQUE.some((kind) => value instanceof (kind as new () => object))) return
    this.#follow(value, path, seen)
  }

  #define(object: object, name: string, path: string, initial: unknown): void {
    const { stored } = this.#known
    const cell = new Cell(path, initial)
    let value = initial
    Object.defineProperty(object, name, {
      enumerable: true,
      configurable: true,
      get: () => (stored.has(path) ? this.#load(path, cell) : value),
      set: (next: unknown) => {
        if (stored.has(path)) this.#store(path, cell, next)
        else if (!Object.is(next, value)) {
          value = next
          this.#learn(stored, path)
        }
      },
    })
  }

  #load(path: string, cell: Cell<unknown>): unknown {
    if (!this.#isContended(path)) return this.#port.loadOwn(cell)
    const value = this.#port.load(cell)
    this.#loaded.set(path, value)
    return value
  }

  #store(path: string, cell: Cell<unknown>, value: unknown): void {
    if (!this.#isContended(path)) this.#port.storeOwn(cell, value)
    else if (value === -1 && this.#loaded.get(path) === 0) this.#port.store(cell, value)
    else this.#port.storeValue(cell, value)
  }

  #isContended(path: string): boolean {
    const { contended } = this.#known
    if (contended.has(path)) return true
    if (this.thread < 0) return false
    const reachedBy = this.#reachedBy.get(path) ?? this.thread
    this.#reachedBy.set(path, reachedBy)
    if (reachedBy !== this.thread) this.#learn(contended, path)
    return false
  }

  /** What was run so far took the field for something else. */
  #learn(set: Set<string>, path: string): void {
    set.add(path)
    if (this.#world.runner.isReplaying) throw new Error(`${path} is shared: the exploration begins again`)
  }
}
