import type { Accessor } from '@vring/accessor'
import { partsUnseen, type RunProbe, text, type UnseenGuard, VALUES } from './window-probe.ts'

/** What a round does beside accesses, in order; each after the accesses of the one before. */
const HOOKS: readonly (readonly [name: string, run: (accessor: Accessor) => void])[] = [
  ['beginRound', (accessor) => void accessor.beginRound()],
  ['hold', ({ lease }) => void (lease?.hold() === true && lease.release(0, 0, 0))],
  ['endRound', (accessor) => accessor.endRound()],
  ['beginRound', (accessor) => void accessor.beginRound()],
  ['endRound', (accessor) => accessor.endRound()],
]

/** What one run did: events of the port, and where each hook begins and ends in them. */
interface HookRun {
  readonly events: readonly string[]
  readonly hooks: readonly { readonly name: string; readonly from: number; readonly to: number }[]
}

/**
 * Runs both ends of rounds, and a hold, over a ring of one value and over one of another. Between them each window
 * loads what is there. Where the value decides which accesses a hook makes, a fence, a mask or a named branch must
 * stand between the load and what differs. It does not matter whether the hook or a window loaded the value.
 */
export function probeHooks(runPath: RunProbe): UnseenGuard[] {
  const unseen: UnseenGuard[] = []
  for (const window of ['desc', 'driver'] as const) {
    const [low, high] = VALUES.map((value) => runWith(runPath, window, value)) as [HookRun, HookRun]
    const at = partsUnseen(low.events, high.events)
    const hook = low.hooks.find(({ from, to }, index) => at >= from && at < Math.max(to, high.hooks[index]!.to))
    if (at < 0 || hook === undefined) continue
    const [one, two] = [low, high].map(({ events }) => text(events.slice(hook.from, at + 1)))
    const detail = `value ${VALUES[0]}: ${one}; value 0x${VALUES[1].toString(16)}: ${two}`
    unseen.push({ kind: 'value', window, access: hook.name, detail })
  }
  return unseen
}

function runWith(runPath: RunProbe, window: 'desc' | 'driver', value: number): HookRun {
  const hooks: { name: string; from: number; to: number }[] = []
  const { observed } = runPath({ mispredict: [], window: 0, secret: [1] }, (accessor, processor, _, fill) => {
    fill(window, value)
    processor.observe()
    for (const [name, run] of HOOKS) {
      const from = processor.observed.length
      run(accessor)
      hooks.push({ name, from, to: processor.observed.length })
      accessor.driver.load16Acquire(0)
      accessor.desc.loadWords(0, new Uint32Array(4), 0, 4)
    }
  })
  return { events: observed, hooks }
}
