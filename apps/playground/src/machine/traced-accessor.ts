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
  const trace = (access: keyof Window, offset: number, length: number, run: () => number): number => {
    // Asked first: the access itself may change how the next one runs (a page that it faults in).
    const mode = (window as Partial<MappedWindow>).mode ?? 'window'
    const result = run()
    sink({ area, access, offset, length, mode, result })
    return result
  }
  return {
    load16: (offset) => trace('load16', offset, 2, () => window.load16(offset)),
    load16Acquire: (offset) => trace('load16Acquire', offset, 2, () => window.load16Acquire(offset)),
    load32: (offset) => trace('load32', offset, 4, () => window.load32(offset)),
    loadWords: (offset, out, index, count) =>
      trace('loadWords', offset, 4 * count, () => window.loadWords(offset, out, index, count)),
    store16: (offset, value) => trace('store16', offset, 2, () => window.store16(offset, value)),
    store16Release: (offset, value) => trace('store16Release', offset, 2, () => window.store16Release(offset, value)),
    store32: (offset, value) => trace('store32', offset, 4, () => window.store32(offset, value)),
    storeWords: (offset, words, index, count) =>
      trace('storeWords', offset, 4 * count, () => window.storeWords(offset, words, index, count)),
  }
}
