import type { Window } from '@vring/accessor'
import { DelegatingWindow, type Mutant, mutatePlugin, wrapWindows } from './mutant.ts'

const LOADS = 'loads give what the driver stored, in the whole of each area'
const DESCRIPTORS = 'descriptors arrive whole, at the index of the output asked for'
const STORES = 'stores reach the driver and leave their neighbours alone'
const BATCH = 'one batch of used elements may cross several pages'
const NEWEST = 'a load sees the newest store of the driver, also within a round'
const FETCHED_ONCE = 'every byte is fetched once: no check is followed by a second fetch'
const ORDERED = 'only release stores and acquire loads are ordered, and they are'
const PUBLISH = 'VirtIO 1.3 2.7.8.2: used elements are stored before the index that publishes them'
const VISIBLE = 'a store is visible when it returns'
const UNMAPPED = 'an unmapped area is -EFAULT for every access, until it is mapped again'

/** Accessors whose window methods do the wrong thing. */
export const windowMutants: readonly Mutant[] = [
  windowMutant('shifted-load', 'load16 reads the next word', LOADS, (inner) => ({
    load16: (offset) => inner.load16(offset + 2),
  })),
  windowMutant('fifteen-bits', 'load16 drops the top bit', LOADS, (inner) => ({
    load16: (offset) => inner.load16(offset) & 0x7fff,
  })),
  windowMutant(
    'signed-load32',
    'load32 gives a signed number, so large values look like errors',
    'values with the top bit set are values, not errors',
    (inner) => ({ load32: (offset) => inner.load32(offset) | 0 }),
  ),
  windowMutant('short-descriptor', 'loadWords leaves the last word out', DESCRIPTORS, (inner) => ({
    loadWords(offset, out, index, count) {
      const words = new Uint32Array(count)
      const status = inner.loadWords(offset, words, 0, count)
      out.set(words.subarray(0, count - 1), index)
      return status
    },
  })),
  windowMutant('descriptor-at-zero', 'loadWords ignores the index of its output', DESCRIPTORS, (inner) => ({
    loadWords: (offset, out, _index, count) => inner.loadWords(offset, out, 0, count),
  })),
  windowMutant(
    'double-fetch',
    'loadWords fetches twice: checked once, used from the second',
    FETCHED_ONCE,
    (inner) => ({
      loadWords(offset, out, index, count) {
        inner.loadWords(offset, out, index, count)
        return inner.loadWords(offset, out, index, count)
      },
    }),
  ),
  windowMutant('elements-from-zero', 'storeWords ignores the index of its elements', STORES, (inner) => ({
    storeWords: (offset, elements, _index, count) => inner.storeWords(offset, elements, 0, count),
  })),
  windowMutant('one-element-short', 'storeWords leaves the last element of a batch out', STORES, (inner) => ({
    storeWords: (offset, elements, index, count) =>
      inner.storeWords(offset, elements, index, count > 2 ? count - 2 : count),
  })),
  windowMutant('stops-at-page', 'storeWords stops at the end of the first page', BATCH, (inner) => ({
    storeWords: (offset, elements, index, count) => inner.storeWords(offset, elements, index, Math.min(count, 1022)),
  })),
  windowMutant('plain-publish', 'store16Release is a plain store', PUBLISH, (inner) => ({
    store16Release: (offset, value) => inner.store16(offset, value),
  })),
  windowMutant('plain-acquire', 'load16Acquire is a plain load', ORDERED, (inner) => ({
    load16Acquire: (offset) => inner.load16(offset),
  })),
  windowMutant('over-ordered', 'every load16 acquires: a barrier an entry', ORDERED, (inner) => ({
    load16: (offset) => inner.load16Acquire(offset),
  })),
  windowMutant('publishes-first', 'storeWords keeps the elements until the index was stored', PUBLISH, (inner) => {
    let kept: (() => void) | null = null
    return {
      storeWords(offset, elements, index, count) {
        kept = () => inner.storeWords(offset, elements, index, count)
        return 0
      },
      store16Release(offset, value) {
        const status = inner.store16Release(offset, value)
        kept?.()
        return status
      },
    }
  }),
  windowMutant('lazy-store', 'store16 reaches memory only with the next store16', VISIBLE, (inner) => {
    let kept: (() => void) | null = null
    return {
      store16(offset, value) {
        kept?.()
        kept = () => inner.store16(offset, value)
        return 0
      },
    }
  }),
  windowMutant(
    'read-modify-write',
    'store16 rewrites the neighbouring word with what it read',
    FETCHED_ONCE,
    (inner) => ({
      store16(offset, value) {
        const at = offset & ~3
        const word = inner.load32(at)
        if (word < 0) return word
        const shift = 8 * (offset & 2)
        return inner.store32(at, ((word & ~(0xffff << shift)) | (value << shift)) >>> 0)
      },
    }),
  ),
  windowMutant('caches-values', 'load16 gives what it loaded before', NEWEST, (inner) => {
    const cache = new Map<number, number>()
    return {
      load16(offset) {
        const value = cache.get(offset) ?? inner.load16(offset)
        cache.set(offset, value)
        return value
      },
    }
  }),
  windowMutant('fault-as-zero', 'load16 gives 0 on a fault', UNMAPPED, (inner) => ({
    load16: (offset) => Math.max(inner.load16(offset), 0),
  })),
  windowMutant('ignored-fault', 'storeWords says 0 on a fault', UNMAPPED, (inner) => ({
    storeWords(offset, elements, index, count) {
      inner.storeWords(offset, elements, index, count)
      return 0
    },
  })),
  windowMutant('throws', 'load16Acquire throws on a fault', UNMAPPED, (inner) => ({
    load16Acquire(offset) {
      const value = inner.load16Acquire(offset)
      if (value < 0) throw new Error(`fault ${value}`)
      return value
    },
  })),
  windowMutant(
    'nameless-errno',
    'store32 gives -1 on a fault',
    'errors are errno values that have a name',
    (inner) => ({ store32: (offset, value) => Math.max(inner.store32(offset, value), -1) }),
  ),
]

function windowMutant(
  name: string,
  flaw: string,
  killedBy: string,
  broken: (inner: Window) => Partial<Window>,
): Mutant {
  return {
    name,
    flaw,
    killedBy,
    mutate: (plugin) =>
      mutatePlugin(plugin, {
        accessor: (accessor) =>
          wrapWindows(accessor, (inner) => Object.assign(new DelegatingWindow(inner), broken(inner))),
      }),
  }
}
