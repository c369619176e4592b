import { DESC_BYTES, USED_ELEM_BYTES } from '@vring/layout'
import type { AccessCounters, AccessMode, Area } from './access-counters.ts'
import type { Accessor, RoundStatus } from './accessor.ts'
import type { Window } from './window.ts'

/** One access of a traced accessor. */
export interface AccessTrace {
  /** Rounds begun so far; 0 before the first. */
  readonly round: number
  readonly area: Area
  readonly access: Exclude<keyof Window, 'mode'>
  /** Bytes from the start of the area. */
  readonly offset: number
  /** Bytes. */
  readonly length: number
  readonly mode: AccessMode | 'unknown'
  /** What the access returned: the value of a scalar load, else 0; negative: an errno. */
  readonly result: number
}

/**
 * An accessor that tells `sink` of every access of another one, and is otherwise that one. Tracing is a decorator so that
 * it costs nothing where it is not used: the traced accessor has no hook.
 */
export function traceAccessor(accessor: Accessor, sink: (trace: AccessTrace) => void): Accessor {
  return new TracedAccessor(accessor, sink)
}

class TracedAccessor implements Accessor {
  readonly name: string
  readonly desc: Window
  readonly avail: Window
  readonly used: Window
  readonly #accessor: Accessor
  readonly #sink: (trace: AccessTrace) => void
  #round = 0

  constructor(accessor: Accessor, sink: (trace: AccessTrace) => void) {
    this.name = accessor.name
    this.#accessor = accessor
    this.#sink = sink
    this.desc = this.#traced('desc')
    this.avail = this.#traced('avail')
    this.used = this.#traced('used')
  }

  get counters(): AccessCounters {
    return this.#accessor.counters
  }

  beginRound(): RoundStatus {
    this.#round++
    return this.#accessor.beginRound()
  }

  endRound(): void {
    this.#accessor.endRound()
  }

  close(): void {
    this.#accessor.close()
  }

  #traced(area: Area): Window {
    const window = this.#accessor[area]
    return new TracedWindow(window, (access, offset, length, mode, result) =>
      this.#sink({ round: this.#round, area, access, offset, length, mode, result }),
    )
  }
}

type Report = (
  access: AccessTrace['access'],
  offset: number,
  length: number,
  mode: AccessTrace['mode'],
  result: number,
) => void

class TracedWindow implements Window {
  readonly #window: Window
  readonly #report: Report

  constructor(window: Window, report: Report) {
    this.#window = window
    this.#report = report
  }

  get mode(): AccessMode | undefined {
    return this.#window.mode
  }

  load16(offset: number): number {
    return this.#trace('load16', offset, 2, () => this.#window.load16(offset))
  }

  load16Acquire(offset: number): number {
    return this.#trace('load16Acquire', offset, 2, () => this.#window.load16Acquire(offset))
  }

  load32(offset: number): number {
    return this.#trace('load32', offset, 4, () => this.#window.load32(offset))
  }

  loadDescriptor(offset: number, out: Uint32Array, index: number): number {
    return this.#trace('loadDescriptor', offset, DESC_BYTES, () => this.#window.loadDescriptor(offset, out, index))
  }

  store16(offset: number, value: number): number {
    return this.#trace('store16', offset, 2, () => this.#window.store16(offset, value))
  }

  store16Release(offset: number, value: number): number {
    return this.#trace('store16Release', offset, 2, () => this.#window.store16Release(offset, value))
  }

  store32(offset: number, value: number): number {
    return this.#trace('store32', offset, 4, () => this.#window.store32(offset, value))
  }

  storeUsed(offset: number, elements: Uint32Array, index: number, count: number): number {
    const length = USED_ELEM_BYTES * count
    return this.#trace('storeUsed', offset, length, () => this.#window.storeUsed(offset, elements, index, count))
  }

  #trace(access: AccessTrace['access'], offset: number, length: number, run: () => number): number {
    // Asked first: the access itself may change how the next one runs (a page that it faults in).
    const mode = this.#window.mode ?? 'unknown'
    const result = run()
    this.#report(access, offset, length, mode, result)
    return result
  }
}
