import type { AccessorPlugin, Window } from '@vring/accessor'
import { AREAS, type Area } from '@vring/layout'
import { type About, about, accessOf } from './about.ts'
import { AssertionFailure } from './conformance-case.ts'
import { delegate, mutatePlugin } from './mutants/mutant.ts'

/** The smallest value that is an errno. Source: Linux include/linux/err.h, MAX_ERRNO. */
const ERRNO_MIN = -4095
const U16_MAX = 0xffff
const U32_MAX = 0xffff_ffff

/** Remembers the last access of an accessor, so that a failure can name it: `device.storeWords(44)`. */
export class AccessTrail {
  last: About | null = null

  /**
   * The same accessor, each access noted. An access that throws, or gives something that is neither a value of its width
   * nor an errno, is a failure at once.
   */
  follow(plugin: AccessorPlugin): AccessorPlugin {
    return mutatePlugin(plugin, {
      accessor: (accessor) => {
        const [desc, driver, device] = AREAS.map((area) => new NotedWindow(this, area, accessor[area]))
        return delegate(accessor, { desc: desc!, driver: driver!, device: device! })
      },
    })
  }

  /** Makes an access and looks at what it gives. */
  note(access: About, max: number, run: () => number): number {
    this.last = access
    let found: unknown
    try {
      found = run()
    } catch (error) {
      // What is no error ends a speculative path, and is thrown by the port.
      if (!(error instanceof Error)) throw error
      throw new AssertionFailure(about`${access} throws ${String(error)}; an access never throws`)
    }
    if (!Number.isInteger(found) || (found as number) < ERRNO_MIN || (found as number) > max)
      throw new AssertionFailure(
        about`${access}: found ${shownValue(found)}, expected ${max === 0 ? '0' : `0 to ${max}`} or a negative errno`,
      )
    return found as number
  }
}

function shownValue(value: unknown): string {
  return typeof value === 'bigint' ? `${value}n` : String(value)
}

class NotedWindow implements Window {
  readonly #trail: AccessTrail
  readonly #area: Area
  readonly #inner: Window

  constructor(trail: AccessTrail, area: Area, inner: Window) {
    this.#trail = trail
    this.#area = area
    this.#inner = inner
  }

  load16(offset: number): number {
    return this.#note('load16', offset, U16_MAX, () => this.#inner.load16(offset))
  }

  load16Acquire(offset: number): number {
    return this.#note('load16Acquire', offset, U16_MAX, () => this.#inner.load16Acquire(offset))
  }

  load32(offset: number): number {
    return this.#note('load32', offset, U32_MAX, () => this.#inner.load32(offset))
  }

  loadWords(offset: number, out: Uint32Array, index: number, count: number): number {
    return this.#note('loadWords', offset, 0, () => this.#inner.loadWords(offset, out, index, count))
  }

  store16(offset: number, value: number): number {
    return this.#note('store16', offset, 0, () => this.#inner.store16(offset, value))
  }

  store16Release(offset: number, value: number): number {
    return this.#note('store16Release', offset, 0, () => this.#inner.store16Release(offset, value))
  }

  store32(offset: number, value: number): number {
    return this.#note('store32', offset, 0, () => this.#inner.store32(offset, value))
  }

  storeWords(offset: number, words: Uint32Array, index: number, count: number): number {
    return this.#note('storeWords', offset, 0, () => this.#inner.storeWords(offset, words, index, count))
  }

  #note(method: keyof Window, offset: number, max: number, run: () => number): number {
    return this.#trail.note(accessOf(this.#area, method, offset), max, run)
  }
}
