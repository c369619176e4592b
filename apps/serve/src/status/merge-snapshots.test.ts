import { expect, test } from 'vitest'
import { mergeSnapshots } from './merge-snapshots.ts'
import type { PairSnapshot, Snapshot } from './snapshot.ts'

const none = { count: 0, sum: 0, p50: 0, p90: 0, p99: 0, max: 0 }
const noPair: PairSnapshot = {
  ...{ backend: 'drop', gone: false, txFrames: 0, txBytes: 0, txDropped: {}, rxFrames: 0, rxBytes: 0, rxDropped: {} },
}

/** What a thread says that serves pair `thread` of three. */
function part(thread: number): Snapshot {
  return {
    ...{ session: null, sessions: thread === 0 ? 4 : 0, lastError: null, sessionEnds: {}, refusals: {} },
    pairs: [0, 1, 2].map((pair) => (pair === thread ? { ...noPair, txFrames: 10 + pair } : noPair)),
    captures: [],
    verdicts: { drop: 1 + thread },
    programCounts: null,
    queues: [{ index: 2 * thread + 1, broken: null, size: 256, enabled: true }],
    broken: thread === 2 ? { 'head-out-of-range': 1 } : {},
    accesses: { 'desc.direct': 5 },
    ...{ notifications: 1, wakeups: 2 },
    threads: [{ thread, notifications: 1, wakeups: 2, round: none, wakeToBackend: none }],
  }
}

test('each pair is that of its thread, counts are sums, and the session is its home’s', () => {
  const merged = mergeSnapshots([part(0), part(1), part(2)])
  expect(merged.pairs.map(({ txFrames }) => txFrames)).toEqual([10, 11, 12])
  expect(merged.queues.map(({ index }) => index)).toEqual([1, 3, 5])
  expect(merged).toMatchObject({
    ...{ sessions: 4, verdicts: { drop: 6 }, programCounts: null, broken: { 'head-out-of-range': 1 } },
    ...{ accesses: { 'desc.direct': 15 }, notifications: 3, wakeups: 6 },
  })
  expect(merged.threads.map(({ thread }) => thread)).toEqual([0, 1, 2])
})

test('of a thread that has ended nothing is known', () => {
  const merged = mergeSnapshots([part(0), undefined, part(2)])
  expect(merged.pairs.map(({ txFrames }) => txFrames)).toEqual([10, 0, 12])
  expect(merged.threads.map(({ thread }) => thread)).toEqual([0, 2])
})
