import type { Accessor, Window } from '@vring/accessor'
import { DelegatingWindow, delegate, type Mutant, mutatePlugin, wrapWindows } from './mutant.ts'

const BIGINT = 'no access and no round uses BigInt'
const LOCKS = 'every lock that an access or a round takes is released, also after a fault'
const ALLOCATES = 'accesses and rounds allocate nothing once they are optimised'
const LEAKS = 'the same traffic, faults and invalidations again leave no more listeners, mappings and frames in use'
const LOADS = 'loads give what the driver stored, in the whole of each area'
const UNMAPPED = 'an unmapped area is -EFAULT for every access, until it is mapped again'
const NAMED_ERRORS = 'errors are errno values that have a name'

/** Kept, so that no engine removes what a mutant allocates. */
export const garbage: { last: unknown } = { last: null }

/** Accessors whose accesses and rounds do what code of the data plane may not do. */
export const dataPlaneMutants: readonly Mutant[] = [
  windowMutant('bigint-offset', 'load16 computes its offset with BigInt', BIGINT, (inner) => ({
    load16: (offset) => inner.load16(Number(BigInt(offset) + 0n)),
  })),
  roundMutant('bigint-round', 'beginRound reads a clock as a BigInt', BIGINT, () => {
    garbage.last = new BigUint64Array(1)[0]
  }),
  windowMutant('list-per-load', 'load16 makes a list for each access', ALLOCATES, (inner) => ({
    load16(offset) {
      garbage.last = new Array(16).fill(offset)
      return inner.load16(offset)
    },
  })),
  windowMutant('copied-descriptor', 'loadWords goes by an array of its own', ALLOCATES, (inner) => ({
    loadWords(offset, out, index, count) {
      const words = new Uint32Array(count)
      const status = inner.loadWords(offset, words, 0, count)
      out.set(words, index)
      return status
    },
  })),
  windowMutant('copied-elements', 'storeWords goes by a copy of its elements', ALLOCATES, (inner) => ({
    storeWords(offset, words, index, count) {
      const copy = words.slice(index, index + count)
      garbage.last = copy
      return inner.storeWords(offset, copy, 0, count)
    },
  })),
  roundMutant('list-per-round', 'beginRound makes a list for each round', ALLOCATES, () => {
    garbage.last = new Array(16).fill(0)
  }),
  {
    name: 'round-keeps-lock',
    flaw: 'beginRound takes a lock that endRound does not release',
    killedBy: LOCKS,
    mutate: (plugin) =>
      mutatePlugin(plugin, { accessor: (accessor, { cpu }) => withRound(accessor, () => cpu.lock()) }),
  },
  {
    name: 'fault-keeps-lock',
    flaw: 'load16 takes a lock, and does not release it on a fault',
    killedBy: LOCKS,
    mutate: (plugin) =>
      mutatePlugin(plugin, {
        accessor: (accessor, { cpu }) =>
          wrapWindows(accessor, (inner) =>
            override(inner, {
              load16(offset) {
                cpu.lock()
                const value = inner.load16(offset)
                if (value >= 0) cpu.unlock()
                return value
              },
            }),
          ),
      }),
  },
  {
    name: 'listener-per-round',
    flaw: 'beginRound registers one more notifier, which is never taken back',
    killedBy: LEAKS,
    mutate: (plugin) =>
      mutatePlugin(plugin, {
        accessor: (accessor, { space }) =>
          withRound(accessor, () => {
            space.notifiers.register({ name: 'mutant', invalidateRangeStart: () => 0, invalidateRangeEnd() {} })
          }),
      }),
  },
  windowMutant('gives-undefined', 'load16Acquire of an odd word gives undefined', LOADS, (inner) => ({
    load16Acquire: (offset) => (offset % 4 === 2 ? (undefined as unknown as number) : inner.load16Acquire(offset)),
  })),
  windowMutant('throws-on-fault', 'load32 throws where it should give an errno', NAMED_ERRORS, (inner) => ({
    load32(offset) {
      const value = inner.load32(offset)
      if (value < 0) throw new RangeError('page fault')
      return value
    },
  })),
  windowMutant('minus-one', 'store16 gives -1 for every fault', UNMAPPED, (inner) => ({
    store16: (offset, value) => Math.max(inner.store16(offset, value), -1),
  })),
]

function windowMutant(
  name: string,
  flaw: string,
  killedBy: string,
  change: (inner: Window) => Partial<Window>,
): Mutant {
  return {
    name,
    flaw,
    killedBy,
    mutate: (plugin) =>
      mutatePlugin(plugin, {
        accessor: (accessor) => wrapWindows(accessor, (inner) => override(inner, change(inner))),
      }),
  }
}

function roundMutant(name: string, flaw: string, killedBy: string, begin: () => void): Mutant {
  return {
    name,
    flaw,
    killedBy,
    mutate: (plugin) => mutatePlugin(plugin, { accessor: (accessor) => withRound(accessor, begin) }),
  }
}

function withRound(accessor: Accessor, begin: () => void): Accessor {
  return delegate(accessor, {
    beginRound() {
      begin()
      return accessor.beginRound()
    },
  })
}

function override(inner: Window, methods: Partial<Window>): Window {
  return Object.assign(new DelegatingWindow(inner), methods)
}
