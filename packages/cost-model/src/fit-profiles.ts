import type { Steps } from '@vring/accessor'
import { VringError } from '@vring/layout'
import { determined, determines, type Matrix } from './elimination.ts'
import { nnls } from './nnls.ts'
import { type Profile, pricedSteps } from './profile.ts'
import { MACHINES, type MachineId, type PublishedRow, SETUPS, type SetupId } from './published.ts'
import { uncertainty } from './uncertainty.ts'
import type { Variant } from './variant.ts'

/** Steps per packet of each way of access. */
export type VariantSteps = Readonly<Record<Variant, Steps>>

/** One fitted number. */
export interface Parameter {
  /** `base:v4`, `smapPair:broadwell`, `lfence:broadwell`, `check`, `lock`. */
  readonly name: string
  readonly unit: 'ns' | 'cycles'
  readonly value: number
  /** Do the rows tell it apart from the other parameters? If not, predictions that depend on it mean nothing. */
  readonly determined: boolean
  /** 95 % interval, from the scatter of the rows; null where they do not tell it. A cost below 0 is none, and cut off. */
  readonly interval: Interval | null
}

/** From where to where, in the unit of what it is of. */
export interface Interval {
  readonly low: number
  readonly high: number
}

/** What a fit gives. */
export interface Fit {
  /** One profile for each setup that the rows had a rate of. */
  readonly profiles: ReadonlyMap<SetupId, Profile>
  readonly parameters: readonly Parameter[]
  /** Do the fitted rows settle what this one must be? If not, its prediction rests on a parameter they do not tell. */
  determines(row: PublishedRow): boolean
  /** Rows that were fitted less parameters. */
  readonly degreesOfFreedom: number
  /** Standard deviation of a row's relative error; null without a degree of freedom. */
  readonly sigma: number | null
  /**
   * How much of its own fitted value a row makes, 0 to 1; null of a row that was not fitted. At 1 no other row has its step:
   * the fit goes through it, whatever it says, and its residual tells nothing.
   */
  leverage(row: PublishedRow): number | null
  /**
   * 95 % interval, in Mpps, of the rate that the model gives a way of access. It is of its mean, so that a published
   * row scatters beyond it. Null where the rows do not tell it.
   */
  rateInterval(setup: SetupId, variant: Variant, smap: boolean): Interval | null
}

/**
 * Fits profiles to published rows: non-negative least squares of relative errors.
 *
 * Parameters, as few as the rows can carry. Each setup (kernel and machine) has a base cost. Each machine has a stac
 * and clac pair and a barrier, in ns, as both wait for what is under way in the memory system. All machines have a
 * check and a lock, in cycles, as both are a few instructions on cached data. A limit check and a mask cost the same:
 * one published cell has them, and gives their sum only.
 *
 * @throws VringError ERR_INVALID_ARGUMENT when there is no rate to fit
 */
export function fitProfiles(rows: readonly PublishedRow[], steps: VariantSteps): Fit {
  const used = rows.filter((row) => row.kind === 'rate' || !row.transfer)
  const setups = unique(used.filter((row) => row.kind === 'rate').map((row) => row.setup))
  if (setups.length === 0)
    throw new VringError('ERR_INVALID_ARGUMENT', 'rows has no rate; accepted: at least one of each setup', {
      field: 'rows',
    })
  const fitted = used.filter((row) => setups.includes(row.setup))
  const names = [
    ...setups.map((setup) => `base:${setup}`),
    ...unique(setups.map((setup) => SETUPS[setup].machine)).flatMap((id) => [`smapPair:${id}`, `lfence:${id}`]),
    'check',
    'lock',
  ]
  const equations = fitted.map((row) => equation(row, names, steps))
  const a: Matrix = equations.map(({ coefficients }) => coefficients)
  const values = nnls(
    a,
    equations.map(({ target }) => target),
  )
  const told = determined(a)
  const sure = uncertainty(
    a,
    equations.map(({ coefficients, target }) => target - sumOf(coefficients, values)),
  )
  const parameters = names.map<Parameter>((name, index) => ({
    name,
    unit: name === 'check' || name === 'lock' ? 'cycles' : 'ns',
    value: values[index]!,
    determined: told[index]!,
    interval: around(values[index]!, sure.halfWidth(index)),
  }))
  return {
    profiles: new Map(setups.map((setup) => [setup, profileOf(setup, parameters)])),
    parameters,
    determines: (row) => setups.includes(row.setup) && determines(a, equation(row, names, steps).coefficients),
    degreesOfFreedom: sure.degreesOfFreedom,
    sigma: sure.sigma,
    leverage(row) {
      const index = fitted.indexOf(row)
      return index < 0 ? null : sure.leverage(index)
    },
    rateInterval(setup, variant, smap) {
      if (!setups.includes(setup)) return null
      const coefficients = coefficientsOf(setup, steps[variant], smap, names)
      const ns = sumOf(coefficients, values)
      const time = around(ns, sure.halfWidthOf(coefficients))
      return time === null ? null : { low: 1000 / time.high, high: 1000 / time.low }
    },
  }
}

function sumOf(coefficients: readonly number[], values: readonly number[]): number {
  return coefficients.reduce((sum, coefficient, k) => sum + coefficient * values[k]!, 0)
}

function around(value: number, halfWidth: number | null): Interval | null {
  return halfWidth === null ? null : { low: Math.max(0, value - halfWidth), high: value + halfWidth }
}

/** One row as coefficients of the parameters and the sum they should have, both scaled to relative errors. */
function equation(
  row: PublishedRow,
  names: readonly string[],
  steps: VariantSteps,
): { coefficients: number[]; target: number } {
  if (row.kind === 'rate') {
    const ns = 1000 / row.mpps
    const coefficients = coefficientsOf(row.setup, steps[row.variant], row.smap, names)
    return { coefficients: coefficients.map((value) => value / ns), target: 1 }
  }
  // before = (1 + gain) after is linear too: before - (1 + gain) after = 0, in units of a typical packet.
  const before = coefficientsOf(row.setup, steps[row.before], row.smap, names)
  const after = coefficientsOf(row.setup, steps[row.after], row.smap, names)
  return { coefficients: before.map((value, k) => (value - (1 + row.gain) * after[k]!) / TYPICAL_NS), target: 0 }
}

/** About what a packet costs in every setup; weighs a gain, which has no cost of its own, like a rate. */
const TYPICAL_NS = 170

function coefficientsOf(setup: SetupId, steps: Steps, smap: boolean, names: readonly string[]): number[] {
  const { machine } = SETUPS[setup]
  const nsPerCycle = 1 / MACHINES[machine].clockGHz
  const counts = pricedSteps(steps, smap)
  const byName: Record<string, number> = {
    [`base:${setup}`]: 1,
    [`smapPair:${machine}`]: counts.smapPair,
    [`lfence:${machine}`]: counts.lfence,
    check: (counts.limitCheck + counts.mask) * nsPerCycle,
    lock: counts.lock * nsPerCycle,
  }
  return names.map((name) => byName[name] ?? 0)
}

function profileOf(setup: SetupId, parameters: readonly Parameter[]): Profile {
  const value = (name: string): number => parameters.find((one) => one.name === name)?.value ?? 0
  const machine: MachineId = SETUPS[setup].machine
  const { name, clockGHz } = MACHINES[machine]
  const check = value('check') / clockGHz
  return {
    name: `${SETUPS[setup].name}, ${name}`,
    clockGHz,
    base: value(`base:${setup}`),
    costs: {
      smapPair: value(`smapPair:${machine}`),
      lfence: value(`lfence:${machine}`),
      limitCheck: check,
      mask: check,
      lock: value('lock') / clockGHz,
    },
  }
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)]
}
