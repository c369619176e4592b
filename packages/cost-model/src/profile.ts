import type { Steps } from '@vring/accessor'

/** Steps that have a cost of their own; everything else that a packet needs is in a profile's base. */
export type CostName = 'smapPair' | 'lfence' | 'limitCheck' | 'mask' | 'lock'

/** The costs in the order of reports. */
export const COST_NAMES: readonly CostName[] = ['smapPair', 'lfence', 'limitCheck', 'mask', 'lock']

/**
 * What steps cost on one machine with one kernel, in nanoseconds.
 *
 * `base` is what every packet costs however metadata is reached: ring logic, payload, XDP program, TAP, and the loads and
 * stores themselves. A cost that is null is not known: stac and clac can't be measured from user mode, for one.
 */
export interface Profile {
  readonly name: string
  readonly clockGHz: number
  /** ns a packet. */
  readonly base: number
  /** ns a step; `smapPair` is one stac and its clac. */
  readonly costs: Readonly<Record<CostName, number | null>>
}

/** Counts per packet of the steps that {@link Profile} prices; without SMAP stac and clac are patched to nothing. */
export function pricedSteps(steps: Partial<Steps>, smap: boolean): Record<CostName, number> {
  const { stac = 0, clac = 0, lfence = 0, limitCheck = 0, mask = 0, lock = 0 } = steps
  return { smapPair: smap ? (stac + clac) / 2 : 0, lfence, limitCheck, mask, lock }
}
