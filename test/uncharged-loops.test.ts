import { afterAll, describe, expect, test } from 'vitest'
import { BlockCounts } from './worst-case/block-counts.ts'

const counts = new BlockCounts()
afterAll(() => counts.close())
// What is counted is loaded after counting began.
const { WORK_BYTES, WORK_PER_LOOK, work } = await import('@vring/memory')
const { BOUND, WORST_CASES, worstRound } = await import('./worst-case/worst-round.ts')
const { REQUEST_CASES, WorstRequests } = await import('./worst-case/worst-requests.ts')
const { MESSAGE_CASES, WorstMessages } = await import('./worst-case/worst-messages.ts')

/** What one unit is of, where that is more than one step of a loop: the steps. */
const STEPS_OF_A_UNIT: Readonly<Record<string, number>> = {
  // The words of a descriptor.
  'packages/accessor/src/ports/plain-cpu.ts loadWords': 4,
  // Bytes, eight at a time.
  'packages/accessor/src/ports/plain-cpu.ts copy': 256 / 8,
  // A binary search.
  'packages/iotlb/src/device-iotlb.ts lookup': 13,
  // Lengths of segments that are summed.
  'packages/vhost-net/src/rx-round.ts reserve': 16,
}
/** Entries of the largest ring: setting one up may look at each a few times. */
const SET_UP = 3 * 32_768

/** Functions without a name: the loader's, which look up what a module exports each time that it is used, too. */
const NAMELESS_STEPS = 16

/** Blocks that ran more often than a bound and what their unit is of. */
function over(bound: number, run: () => void): readonly { readonly where: string; readonly count: number }[] {
  const steps = (where: string): number => STEPS_OF_A_UNIT[where] ?? (where.endsWith(' ') ? NAMELESS_STEPS : 1)
  return counts.over(bound, run).filter(({ where, count }) => count > bound * steps(where))
}

/**
 * Between two looks at the clock no block of the code runs more often than the meter has units, and the step that crosses
 * them: a loop over what a driver counts that is not charged is one that does, whatever it loops over.
 */
describe('no loop goes round more often in a look than is charged', () => {
  test.each(WORST_CASES)('$unit ($what)', (one) => {
    const { round } = worstRound(one)
    for (let look = 0; look < 2; look++) expect(over(BOUND, () => round.run())).toEqual([])
  })

  test.each(REQUEST_CASES)('$what', (one) => {
    const worst = new WorstRequests(one)
    one.fill(worst)
    expect(over(BOUND + SET_UP, () => worst.start())).toEqual([])
    for (let look = 0; look < 3; look++) {
      const [before, freed] = [worst.storeBytes, worst.freedBytes]
      const found = over(BOUND, () => {
        work.begin()
        worst.serve()
      })
      expect(found).toEqual([])
      // A look's bytes, and the step that crosses them, of a megabyte; pages that are freed are units by themselves.
      expect(worst.storeBytes - before).toBeLessThanOrEqual(WORK_PER_LOOK * WORK_BYTES + 2 ** 20)
      expect(worst.freedBytes - freed).toBeLessThanOrEqual(2 * WORK_PER_LOOK * 4096)
    }
  })

  test.each(MESSAGE_CASES)('a message: $what', (one) => {
    const worst = new WorstMessages()
    one.before?.(worst)
    expect(over(BOUND + SET_UP, () => one.run(worst))).toEqual([])
    worst.close()
  })
})

test('a loop that no budget ends is found, by file and function', async () => {
  const { DirtyBitmap } = await import('@vring/memory')
  const bitmap = DirtyBitmap.forGuest(2 ** 32)
  const [worst] = counts.over(BOUND, () => bitmap.write(0, 2 ** 32))
  expect(worst).toEqual({ where: 'packages/memory/src/dirty-log.ts write', count: 2 ** 20 })
})
