// How long one look takes in each worst case, on this machine: npx tsx --conditions=@vring/source
// test/worst-case/look-times.ts As fresh code would (the first looks of a process) and when it is compiled; a table,
// ms: the first look, those of the fastest quarter, of half and of all after a warm-up. Run it on a machine that does
// nothing else.
import { WORK_PER_LOOK, work } from '@vring/memory'
import { REQUEST_CASES, WorstRequests } from './worst-requests.ts'
import { WORST_CASES, worstRound } from './worst-round.ts'

const REPEATS = 36
/** The first ones, whose code is not compiled yet. */
const WARM_UP = 12

interface Look {
  readonly ms: number
  readonly units: number
}

/** Looks of fresh rings, each full of the worst: those of one ring are over after a few. */
function measure(make: () => () => void): readonly Look[] {
  const looks: Look[] = []
  for (let i = 0; i < REPEATS; i++) {
    const look = make()
    work.begin()
    const begin = performance.now()
    look()
    looks.push({ ms: performance.now() - begin, units: work.spent })
  }
  return looks
}

function print(what: string, looks: readonly Look[]): void {
  const later = looks.slice(WARM_UP).map(({ ms }) => ms)
  later.sort((one, other) => one - other)
  const columns = [looks[0]!.ms, later[later.length >>> 2]!, later[later.length >>> 1]!, later.at(-1)!].map((ms) =>
    ms.toFixed(2).padStart(7),
  )
  console.log(`${what.padEnd(72)} ${columns.join(' ')} ${String(looks.at(-1)!.units).padStart(7)}`)
}

console.log(`${`a look, ${WORK_PER_LOOK} units; ms:`.padEnd(72)}   first quarter  median    most   units`)
for (const one of WORST_CASES)
  print(
    `${one.unit} (${one.what})`,
    measure(() => {
      const { round } = worstRound(one)
      return () => round.run()
    }),
  )
for (const one of REQUEST_CASES)
  print(
    `requests: ${one.what}`,
    measure(() => {
      const worst = new WorstRequests(one)
      one.fill(worst)
      worst.start()
      return () => worst.serve()
    }),
  )
