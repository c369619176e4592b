import type { AccessCounters, AccessMode, Area } from './access-counters.ts'
import type { Accessor, RoundStatus } from './accessor.ts'
import type { Window } from './window.ts'

/** Where two accessors of one ring disagree. */
export interface AccessDifference {
  /** The accessor that serves, and the one that shadows it. */
  readonly accessor: string
  readonly shadow: string
  /** Rounds begun so far. */
  readonly round: number
  /** The area, or `round` when one was ready and the other was not. */
  readonly area: Area | 'round'
  /** The method of `Window` or `Accessor` that was called. */
  readonly access: string
  /** Bytes from the start of the area; -1 for a round. */
  readonly offset: number
  /** What each gave: words of memory, an errno, or a round's status. */
  readonly given: readonly (number | string)[]
  readonly shadowGave: readonly (number | string)[]
}

/**
 * Runs two accessors of one ring side by side: `accessor` serves, `shadow` does every load again and reads back every
 * store. The first difference is reported; from then on `accessor` serves alone.
 *
 * The shadow never writes: a wrong one would damage the memory it is compared on. The driver may change memory between
 * two loads, so a difference counts when both still give what they gave on a second try.
 *
 * Counters are those of `accessor`. Closing closes both.
 */
export function shadowAccessor(
  accessor: Accessor,
  shadow: Accessor,
  onDifference: (difference: AccessDifference) => void,
): Accessor {
  return new ShadowedAccessor(accessor, shadow, onDifference)
}

class ShadowedAccessor implements Accessor {
  readonly name: string
  readonly desc: Window
  readonly avail: Window
  readonly used: Window
  readonly #accessor: Accessor
  readonly #shadow: Accessor
  readonly #onDifference: (difference: AccessDifference) => void
  #round = 0
  #comparing = true
  /** The shadow could not begin this round: nothing to compare until the next one. */
  #shadowReady = true

  constructor(accessor: Accessor, shadow: Accessor, onDifference: (difference: AccessDifference) => void) {
    this.name = accessor.name
    this.#accessor = accessor
    this.#shadow = shadow
    this.#onDifference = onDifference
    this.desc = this.#shadowed('desc')
    this.avail = this.#shadowed('avail')
    this.used = this.#shadowed('used')
  }

  get counters(): AccessCounters {
    return this.#accessor.counters
  }

  beginRound(): RoundStatus {
    this.#round++
    const status = this.#accessor.beginRound()
    const shadowStatus = this.#shadow.beginRound()
    this.#shadowReady = shadowStatus === 'ready'
    if (status !== shadowStatus) this.#differ('round', 'beginRound', -1, [status], [shadowStatus])
    return status
  }

  endRound(): void {
    this.#accessor.endRound()
    this.#shadow.endRound()
  }

  close(): void {
    this.#accessor.close()
    this.#shadow.close()
  }

  #shadowed(area: Area): Window {
    return new ShadowedWindow(this.#accessor[area], this.#shadow[area], (access, offset, given, shadowGave) => {
      if (this.#shadowReady) this.#differ(area, access, offset, given, shadowGave)
    })
  }

  #differ(
    area: AccessDifference['area'],
    access: string,
    offset: number,
    given: readonly (number | string)[],
    shadowGave: readonly (number | string)[],
  ): void {
    if (!this.#comparing) return
    this.#comparing = false
    this.#onDifference({
      accessor: this.#accessor.name,
      shadow: this.#shadow.name,
      round: this.#round,
      area,
      access,
      offset,
      given,
      shadowGave,
    })
  }
}

type Differ = (access: string, offset: number, given: readonly number[], shadowGave: readonly number[]) => void

class ShadowedWindow implements Window {
  readonly #window: Window
  readonly #shadow: Window
  readonly #differ: Differ

  constructor(window: Window, shadow: Window, differ: Differ) {
    this.#window = window
    this.#shadow = shadow
    this.#differ = differ
  }

  get mode(): AccessMode | undefined {
    return this.#window.mode
  }

  load16(offset: number): number {
    const value = this.#window.load16(offset)
    this.#compare('load16', offset, [value], (window) => [window.load16(offset)])
    return value
  }

  load16Acquire(offset: number): number {
    const value = this.#window.load16Acquire(offset)
    this.#compare('load16Acquire', offset, [value], (window) => [window.load16Acquire(offset)])
    return value
  }

  load32(offset: number): number {
    const value = this.#window.load32(offset)
    this.#compare('load32', offset, [value], (window) => [window.load32(offset)])
    return value
  }

  loadDescriptor(offset: number, out: Uint32Array, index: number): number {
    const status = this.#window.loadDescriptor(offset, out, index)
    const given = status < 0 ? [status] : [...out.subarray(index, index + 4)]
    this.#compare('loadDescriptor', offset, given, (window) => {
      const words = new Uint32Array(4)
      const errno = window.loadDescriptor(offset, words, 0)
      return errno < 0 ? [errno] : [...words]
    })
    return status
  }

  store16(offset: number, value: number): number {
    const status = this.#window.store16(offset, value)
    this.#readBack16('store16', offset, value, status)
    return status
  }

  store16Release(offset: number, value: number): number {
    const status = this.#window.store16Release(offset, value)
    this.#readBack16('store16Release', offset, value, status)
    return status
  }

  store32(offset: number, value: number): number {
    const status = this.#window.store32(offset, value)
    const given = [status < 0 ? status : value >>> 0]
    this.#compare('store32', offset, given, (window) => [window.load32(offset)])
    return status
  }

  storeUsed(offset: number, elements: Uint32Array, index: number, count: number): number {
    const status = this.#window.storeUsed(offset, elements, index, count)
    const words = elements.subarray(index, index + 2 * count)
    const given = status < 0 ? [status] : [...words]
    this.#compare('storeUsed', offset, given, (window) => {
      const seen = Array.from(words, (_, word) => window.load32(offset + 4 * word))
      const errno = seen.find((value) => value < 0)
      return errno === undefined ? seen : [errno]
    })
    return status
  }

  #readBack16(access: string, offset: number, value: number, status: number): void {
    this.#compare(access, offset, [status < 0 ? status : value & 0xffff], (window) => [window.load16(offset)])
  }

  #compare(access: string, offset: number, given: readonly number[], read: (window: Window) => number[]): void {
    const seen = read(this.#shadow)
    if (equal(given, seen)) return
    if (!equal(given, read(this.#window)) || !equal(seen, read(this.#shadow))) return
    this.#differ(access, offset, given, seen)
  }
}

function equal(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index])
}
