import type { Accessor, MappedWindow, Window } from '@vring/accessor'
import type { Area } from '@vring/layout'

/** One access of an accessor, as the page tells it. */
export interface AccessTrace {
  readonly area: Area
  readonly access: keyof Window
  /** Bytes from the start of the area. */
  readonly offset: number
  /** Bytes. */
  readonly length: number
  /** How it ran: `direct`, `fallback:<reason>`, or `window` where the window does not tell. */
  readonly mode: string
  /** What the access returned: the value of a scalar load, else 0; negative: an errno. */
  readonly result: number
  /** What was loaded or stored: the value of 16 bits, else words of 32; of a load that failed nothing that counts. */
  readonly words: readonly number[]
}

/** An accessor whose windows tell of every access. It has no lease: here the ring goes access by access. */
export function tracedAccessor(accessor: Accessor, sink: (trace: AccessTrace) => void): Accessor {
  const traced = (area: Area): Window => tracedWindow(accessor[area], area, sink)
  return {
    name: accessor.name,
    desc: traced('desc'),
    driver: traced('driver'),
    device: traced('device'),
    lease: null,
    counters: accessor.counters,
    beginRound: () => accessor.beginRound(),
    endRound: () => accessor.endRound(),
    close: () => accessor.close(),
  }
}

function tracedWindow(window: Window, area: Area, sink: (trace: AccessTrace) => void): Window {
  const trace = (
    access: keyof Window,
    offset: number,
    length: number,
    run: () => number,
    words: (result: number) => readonly number[],
  ): number => {
    // Asked first: the access itself may change how the next one runs (a page that it faults in).
    const mode = (window as Partial<MappedWindow>).mode ?? 'window'
    const result = run()
    sink({ area, access, offset, length, mode, result, words: words(result) })
    return result
  }
  const load = (access: 'load16' | 'load16Acquire' | 'load32', length: number) => (offset: number) =>
    trace(
      access,
      offset,
      length,
      () => window[access](offset),
      (value) => [value],
    )
  const store = (access: 'store16' | 'store16Release' | 'store32', length: number) => (offset: number, value: number) =>
    trace(
      access,
      offset,
      length,
      () => window[access](offset, value),
      () => [value],
    )
  const several =
    (access: 'loadWords' | 'storeWords') => (offset: number, words: Uint32Array, index: number, count: number) =>
      trace(
        access,
        offset,
        4 * count,
        () => window[access](offset, words, index, count),
        () => [...words.subarray(index, index + count)],
      )
  return {
    load16: load('load16', 2),
    load16Acquire: load('load16Acquire', 2),
    load32: load('load32', 4),
    loadWords: several('loadWords'),
    store16: store('store16', 2),
    store16Release: store('store16Release', 2),
    store32: store('store32', 4),
    storeWords: several('storeWords'),
  }
}
