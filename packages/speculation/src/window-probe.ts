import type { Accessor, Window } from '@vring/accessor'
import type { Area, RingAreas } from '@vring/layout'
import type { PathPlan, SpeculatingCpu } from './speculating-cpu.ts'

/** An access whose window keeps an offset in its area by what the port does not see. */
export interface UnseenGuard {
  readonly window: Area
  readonly access: string
  /** For people: what was asked, and what was accessed. */
  readonly detail: string
}

/** What runs in a round in place of the queue. */
export type WindowProbe = (accessor: Accessor, cpu: SpeculatingCpu, ring: RingAreas) => void

/** Far outside of every area and its pages, aligned to every access. */
const OFFSETS = [0x10_0000, 0x28_0040] as const

type Access = readonly [name: string, run: (window: Window, offset: number) => unknown]

const LOADS: readonly Access[] = [
  ['load16', (window, offset) => window.load16(offset)],
  ['load16Acquire', (window, offset) => window.load16Acquire(offset)],
  ['load32', (window, offset) => window.load32(offset)],
]
const WORDS: Access = ['loadWords', (window, offset) => window.loadWords(offset, new Uint32Array(4), 0, 4)]
const STORES: readonly Access[] = [
  ['store16', (window, offset) => window.store16(offset, 1)],
  ['store16Release', (window, offset) => window.store16Release(offset, 1)],
  ['store32', (window, offset) => window.store32(offset, 1)],
  ['storeWords', (window, offset) => window.storeWords(offset, new Uint32Array(2), 0, 2)],
]
const ASKED: Readonly<Record<Area, readonly Access[]>> = {
  desc: [...LOADS, WORDS],
  driver: LOADS,
  device: [...LOADS, ...STORES],
}

/**
 * Asks each window with two offsets that are out of range, as a mispredicted check of its caller lets them through. Where
 * the address follows the offset, nothing in the window stops it, and the ring has to: what rings do is followed path by
 * path. Where it does not, a mask, a fence or a named branch of the port must be the reason; a plain `if` that a processor
 * would mispredict too looks like none of them.
 */
export function probeWindows(runPath: (plan: PathPlan, probe: WindowProbe) => SpeculatingCpu): UnseenGuard[] {
  const unseen: UnseenGuard[] = []
  for (const [window, accesses] of Object.entries(ASKED) as [Area, readonly Access[]][])
    for (const [access, ask] of accesses) {
      const [first, second] = OFFSETS.map((offset) => answerTo(runPath, window, ask, offset))
      if (first == null || second == null || follows(first, second)) continue
      const shown = [first, second].map((answer, index) => `offset 0x${OFFSETS[index]!.toString(16)}: ${text(answer)}`)
      unseen.push({ window, access, detail: shown.join('; ') })
    }
  return unseen
}

/** Where two offsets were accessed, or what was thrown. */
type Answer = readonly string[] | 'an error'

/** Are two accesses as far apart as the offsets are? */
function follows(first: Answer, second: Answer): boolean {
  if (typeof first === 'string' || typeof second === 'string') return false
  return first.some((one, index) => addressOf(second[index]) - addressOf(one) === OFFSETS[1] - OFFSETS[0])
}

/** Of an observation such as `load at 16`. */
function addressOf(observation: string | undefined): number {
  return Number(observation?.split(' ').at(-1))
}

function text(answer: Answer): string {
  if (typeof answer === 'string') return answer
  return answer.length === 0 ? 'no access' : answer.join(', ')
}

/** What a window did with an offset; null: the port has seen what keeps it. */
function answerTo(
  runPath: (plan: PathPlan, probe: WindowProbe) => SpeculatingCpu,
  window: Area,
  ask: Access[1],
  offset: number,
): Answer | null {
  let branches = 0
  let walked = 0
  let thrown = false
  const cpu = runPath({ mispredict: [], window: 64, secret: [1] }, (accessor, processor, ring) => {
    processor.mispredictCaller()
    branches = processor.branches.length
    walked = ring[window].address + offset
    try {
      ask(accessor[window], offset)
    } catch (error) {
      // A squash is no object of the accessor's; it has to get through.
      if (!(error instanceof Error)) throw error
      thrown = true
    }
  })
  const seen = cpu.squashed || cpu.leaks.length > 0 || cpu.masks > 0 || cpu.branches.length > branches
  if (seen || cpu.addresses.some((one) => one.startsWith('walk ') && addressOf(one) === walked)) return null
  return thrown ? 'an error' : cpu.addresses
}
