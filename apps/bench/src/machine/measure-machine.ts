import { isVringError } from '@vring/layout'
import { nativeAddress, unsupportedHost } from '@vring/linux'
import { MachineCode } from '@vring/linux/machine-code'
import { type Interval, median, medianInterval, seededRandom } from '../stats/index.ts'
import { assembleLoop, CYCLES_A_LINK, CYCLES_LINK, LINKS, STEP_CODE } from './step-code.ts'

/** What steps cost on the machine that a run was made on, as far as user mode can tell. */
export interface MachineProfile {
  /** Clock that the core ran at, from a chain of one-cycle additions; null where nothing was measured. */
  readonly clockGHz: number | null
  /** ns a step in a chain of loads that hit the first cache, with a bootstrap 95 % interval. */
  readonly steps: Readonly<Record<string, Interval>>
  /** Steps without a figure, and why. */
  readonly notMeasured: Readonly<Record<string, string>>
}

/** Pairs of timings a step; one lasts a fraction of a millisecond. */
const REPEATS = 25
/** Turns of a loop a timing: thousands of links, so that the call itself is nothing. */
const TURNS = 1024

/** stac and clac set a flag that only the kernel may. */
const PRIVILEGED = 'not measurable in user mode, where it is an invalid instruction (#UD)'

/**
 * Times steps as machine code: each with and without the step, in turn, and the difference. Nothing else is under way
 * in the memory system, so what a barrier waits for is one load that hits. In a datapath that misses caches it is more.
 */
export function measureMachine(): MachineProfile {
  const reason =
    unsupportedHost() ?? (process.arch === 'x64' ? null : `the steps are written for x64; this is ${process.arch}`)
  if (reason !== null) return unmeasured(reason)
  try {
    return measure()
  } catch (error) {
    // A kernel may refuse memory that is executable; the run is none the worse for it.
    if (isVringError(error)) return unmeasured(error.message)
    throw error
  }
}

function unmeasured(reason: string): MachineProfile {
  const notMeasured = Object.fromEntries(STEP_CODE.map(({ step }) => [step, reason]))
  return { clockGHz: null, steps: {}, notMeasured: { ...notMeasured, stac: PRIVILEGED, clac: PRIVILEGED } }
}

function measure(): MachineProfile {
  const memory = new ArrayBuffer(4096)
  const random = seededRandom(1)
  const steps: Record<string, Interval> = {}
  for (const code of STEP_CODE) {
    const [without, withStep] = timeInTurn([code.without, code.with], memory)
    steps[code.step] = medianInterval(
      withStep!.map((ns, index) => ns - without![index]!),
      random,
    )
  }
  const [cycles] = timeInTurn([CYCLES_LINK], memory)
  const cycleNs = median(cycles!) / CYCLES_A_LINK
  return { clockGHz: 1 / cycleNs, steps, notMeasured: { stac: PRIVILEGED, clac: PRIVILEGED } }
}

/** ns a link of each loop, `REPEATS` times, the loops in turn: what disturbs one disturbs its neighbour. */
function timeInTurn(links: readonly (readonly number[])[], memory: ArrayBuffer): number[][] {
  const address = nativeAddress(memory)
  const loops = links.map((link) => MachineCode.of(assembleLoop(link), 'x64'))
  try {
    for (const loop of loops) loop.call(TURNS, address)
    const times = loops.map((): number[] => [])
    for (let repeat = 0; repeat < REPEATS; repeat++)
      for (const [index, loop] of loops.entries()) {
        const start = performance.now()
        loop.call(TURNS, address)
        times[index]!.push((1e6 * (performance.now() - start)) / TURNS / LINKS)
      }
    return times
  } finally {
    for (const loop of loops) loop.unmap()
  }
}
