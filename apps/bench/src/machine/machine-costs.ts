import type { Steps } from '@vring/accessor'
import { COST_NAMES, fitProfiles, type Profile, PUBLISHED, predict, REFERENCE_STEPS, SETUPS } from '@vring/cost-model'
import { DEFAULT_SETUP } from '../results/model-results.ts'
import type { MachineProfile } from './measure-machine.ts'
import { STEP_CODE } from './step-code.ts'

/** A price of a step on this machine, and where it is from. */
export interface StepPrice {
  readonly step: string
  /** ns, or null where neither this machine nor a published profile tells. */
  readonly ns: number | null
  /** Of a measurement, its 95 % interval. */
  readonly interval: { readonly low: number; readonly high: number } | null
  readonly from: string
}

/** What the steps of one way of access cost on this machine, without the base of a packet. */
export interface MachineCost {
  readonly label: string
  /** ns a packet by step. */
  readonly parts: Readonly<Record<string, number>>
  /** ns a packet of what was measured here: all but the SMAP pairs. */
  readonly measuredNs: number
  /** The pairs of metadata and payload, at the published price. */
  readonly smapNs: number
}

/** Every step with its price: measured here, or, for a stac and clac pair, the one fitted to published rates. */
export function stepPrices({ steps, notMeasured }: MachineProfile): StepPrice[] {
  const timed = STEP_CODE.map(({ step, description }): StepPrice => {
    const interval = steps[step]
    if (interval === undefined)
      return { step, ns: null, interval: null, from: `not available: ${notMeasured[step] ?? ''}` }
    return { step, ns: interval.median, interval, from: `measured: ${description}` }
  })
  const why = notMeasured['stac'] ?? 'not measured'
  return [
    ...timed,
    {
      step: 'stac + clac',
      ns: publishedPair(),
      interval: null,
      from: `${why}; fitted to rates of ${SETUPS[DEFAULT_SETUP].name}`,
    },
  ]
}

/** `4.33 [4.32, 4.34]`; no minus sign before a zero. */
export function formatPrice({ ns, interval }: StepPrice): string {
  const plain = (value: number): string => (Math.abs(value) < 0.005 ? '0.00' : value.toFixed(2))
  if (ns === null) return '–'
  return interval === null ? plain(ns) : `${plain(ns)} [${plain(interval.low)}, ${plain(interval.high)}]`
}

/**
 * The cost of steps per packet at this machine's prices; null where it has none. What a packet costs besides, its base, is a
 * kernel's and can't be measured here, so these are parts of a packet and no rate.
 */
export function machineCosts(
  machine: MachineProfile,
  rows: readonly { readonly label: string; readonly steps: Partial<Steps> }[],
): MachineCost[] | null {
  if (machine.clockGHz === null) return null
  // A step that runs beside a load for nothing may come out a trace below nothing.
  const price = (step: string): number | null => {
    const interval = machine.steps[step]
    return interval === undefined ? null : Math.max(0, interval.median)
  }
  const profile: Profile = {
    name: 'this machine',
    clockGHz: machine.clockGHz,
    base: 0,
    costs: {
      smapPair: publishedPair(),
      lfence: price('lfence'),
      limitCheck: price('limitCheck'),
      mask: price('mask'),
      lock: price('lock'),
    },
  }
  return rows.map(({ label, steps }) => {
    const { parts, ns } = predict(profile, steps, true)
    return {
      label,
      parts: Object.fromEntries(COST_NAMES.map((name) => [name, parts[name]])),
      measuredNs: ns - parts.smapPair,
      smapNs: parts.smapPair,
    }
  })
}

/** ns of a stac and clac pair, fitted to the published rates. */
function publishedPair(): number {
  return fitProfiles(PUBLISHED, REFERENCE_STEPS).profiles.get(DEFAULT_SETUP)!.costs.smapPair!
}
