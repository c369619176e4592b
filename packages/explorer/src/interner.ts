/** A state's key has one UTF-16 code unit for each value. */
const ID_MAX = 0xffff

/**
 * Numbers for values, equal values equal numbers: what makes states comparable. Primitives, functions and most objects are
 * themselves; arrays, plain objects and instances of the classes given are equal when their contents are.
 */
export class Interner {
  readonly #ids = new Map<unknown, number>()
  readonly #shapes = new Map<string, number>()
  readonly #values: unknown[] = []
  readonly #structural: ReadonlySet<unknown>

  /** @param structural classes whose instances are compared by content */
  constructor(structural: readonly unknown[] = []) {
    this.#structural = new Set([Object.prototype, Array.prototype, ...structural.map(prototypeOf)])
  }

  id(value: unknown): number {
    const known = this.#ids.get(value)
    if (known !== undefined) return known
    if (typeof value !== 'object' || value === null) return this.#add(value)
    const prototype: unknown = Object.getPrototypeOf(value)
    if (!this.#structural.has(prototype)) return this.#add(value)
    const fields = Object.entries(value).map(([key, field]) => `${key}=${this.id(field)}`)
    const shape = `${this.id(prototype)}:${fields.join()}`
    const id = this.#shapes.get(shape) ?? this.#values.length
    if (id === this.#values.length) {
      this.#push(value)
      this.#shapes.set(shape, id)
    }
    this.#ids.set(value, id)
    return id
  }

  value(id: number): unknown {
    return this.#values[id]
  }

  #add(value: unknown): number {
    const id = this.#push(value)
    this.#ids.set(value, id)
    return id
  }

  #push(value: unknown): number {
    const id = this.#values.length
    if (id > ID_MAX) throw new RangeError(`a scenario may have ${ID_MAX} distinct values; make it smaller`)
    this.#values.push(value)
    return id
  }
}

function prototypeOf(value: unknown): unknown {
  return typeof value === 'function' ? (value.prototype as unknown) : value
}
