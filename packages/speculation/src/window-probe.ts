import type { Accessor, Window } from '@vring/accessor'
import { AREAS, type Area, mayRead, mayWrite, type RingAreas } from '@vring/layout'
import type { PathPlan, SpeculatingCpu } from './speculating-cpu.ts'

/** Something that was relied on and can't be seen. */
export interface UnseenGuard {
  /**
   * `offset`: a window keeps offsets in its area by what the port does not see. `value`: what a load gives decides about
   * further accesses by what the port does not see. `idle`: a ring whose memory was never loaded, or a lease that was never
   * held: what was run shows nothing.
   */
  readonly kind: 'offset' | 'value' | 'idle'
  readonly window: Area
  readonly access: string
  /** For people: what was asked, and what was accessed. */
  readonly detail: string
}

/** What runs in place of a round; `fill` makes all 16-bit words of an area a value. */
export type WindowProbe = (
  accessor: Accessor,
  cpu: SpeculatingCpu,
  ring: RingAreas,
  fill: (area: Area, value: number) => void,
) => void

/** Far outside of every area and its pages, aligned to every access. */
const OFFSETS = [0x10_0000, 0x28_0040] as const
/** What a driver may write where it is asked for an index: the least and the most. */
export const VALUES = [0, 0xffff] as const

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
/** What may be asked of an area: descriptors are loaded by fours, and what is not permitted is not asked. */
function askedOf(ring: RingAreas, area: Area): Access[] {
  const loads = area === 'desc' ? [...LOADS, WORDS] : LOADS
  return [...(mayRead(ring[area]) ? loads : []), ...(mayWrite(ring[area]) ? STORES : [])]
}

/** The ring that probes run over. */
function ringOf(runPath: RunProbe): RingAreas {
  let ring: RingAreas | null = null
  runPath({ mispredict: [], window: 0, secret: [1] }, (_, __, areas) => {
    ring = areas
  })
  return ring!
}

/** Runs a probe in a world of its own. */
export type RunProbe = (plan: PathPlan, probe: WindowProbe) => SpeculatingCpu

/**
 * Asks each window with two offsets that are out of range, as a mispredicted check of its caller lets them through.
 * Where the address follows the offset, nothing in the window stops it, and the ring has to: what rings do is followed
 * path by path. Where it does not, a mask, a fence or a named branch of the port must be the reason. A plain `if` that
 * a processor would mispredict too looks like none of them.
 */
export function probeWindows(runPath: RunProbe): UnseenGuard[] {
  const unseen: UnseenGuard[] = []
  const ring = ringOf(runPath)
  for (const window of AREAS)
    for (const [access, ask] of askedOf(ring, window)) {
      const [first, second] = OFFSETS.map((offset) => answerTo(runPath, window, ask, offset))
      if (first == null || second == null || follows(first, second)) continue
      const shown = [first, second].map((answer, index) => `offset 0x${OFFSETS[index]!.toString(16)}: ${text(answer)}`)
      unseen.push({ kind: 'offset', window, access, detail: shown.join('; ') })
    }
  return unseen
}

/**
 * Asks each window for the first words of its area, with one value there and with others. Where the value decides which
 * accesses follow, a fence, a mask or a named branch must come between the load and what differs.
 */
export function probeValues(runPath: RunProbe): UnseenGuard[] {
  const unseen: UnseenGuard[] = []
  const ring = ringOf(runPath)
  // What the driver writes; of the device area a device loads what it wrote itself.
  for (const window of ['desc', 'driver'] as const)
    for (const [access, ask] of askedOf(ring, window)) {
      if (!access.startsWith('load')) continue
      const [low, high] = VALUES.map((value) => observedWith(runPath, window, ask, value)) as [Events, Events]
      if (partsUnseen(low, high) < 0) continue
      const [one, two] = [low, high].map((events) => text(events.filter((event) => event.includes(' at '))))
      const detail = `value ${VALUES[0]}: ${one}; value 0x${VALUES[1].toString(16)}: ${two}`
      unseen.push({ kind: 'value', window, access, detail })
    }
  return unseen
}

/** What a path did, in order. */
export type Events = readonly string[]

/** What a load of the first words of an area does, with a value there. */
function observedWith(runPath: RunProbe, window: Area, ask: Access[1], value: number): Events {
  return runPath({ mispredict: [], window: 0, secret: [1] }, (accessor, processor, _, fill) => {
    accessor.beginRound()
    fill(window, value)
    processor.observe()
    ask(accessor[window], 0)
  }).observed
}

/** Do two runs part after a load, with nothing between that the port sees? Then where, and -1 otherwise. */
export function partsUnseen(one: Events, other: Events): number {
  let loaded = false
  for (let index = 0; index < Math.max(one.length, other.length); index++) {
    const event = one[index]
    if (event !== other[index]) return loaded ? index : -1
    if (event!.startsWith('load at ')) loaded = true
    else if (['fence', 'mask', 'branch'].includes(event!)) loaded = false
  }
  return -1
}

/** Where two offsets were accessed, or what was thrown. */
export type Answer = readonly string[] | 'an error'

/** Are two accesses as far apart as the offsets are? */
function follows(first: Answer, second: Answer): boolean {
  if (typeof first === 'string' || typeof second === 'string') return false
  return first.some((one, index) => addressOf(second[index]) - addressOf(one) === OFFSETS[1] - OFFSETS[0])
}

/** Of an observation such as `load at 16`. */
function addressOf(observation: string | undefined): number {
  return Number(observation?.split(' ').at(-1))
}

export function text(answer: Answer): string {
  if (typeof answer === 'string') return answer
  return answer.length === 0 ? 'no access' : answer.join(', ')
}

/** What a window did with an offset; null: the port has seen what keeps it. */
function answerTo(runPath: RunProbe, window: Area, ask: Access[1], offset: number): Answer | null {
  let branches = 0
  let walked = 0
  let thrown = false
  const cpu = runPath({ mispredict: [], window: 64, secret: [1] }, (accessor, processor, ring) => {
    accessor.beginRound()
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
