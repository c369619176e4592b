import { PEER_TITLES, peerRole, servesDriver } from '../peers/peer-names.ts'
import { PLACEMENTS } from '../placement/classes.ts'
import type { CellResult, PeerResult } from '../results/results.ts'
import { classRates, pairedRatios, sliceResult, slicesIn } from '../slices/class-rates.ts'
import { medianInterval, type Random, ratioInterval } from '../stats/index.ts'
import { ratesOf } from './cell-result.ts'
import type { PeerOutcome } from './group-outcome.ts'

/**
 * A peer's outcome as `results.json` has it; null without a trial.
 *
 * @param cells of its group: how they compare with it
 * @param needed slices that a class needs
 */
export function peerResult(
  { name, spec, trials, slices, report }: PeerOutcome,
  cells: readonly CellResult[],
  needed: number,
  random: Random,
): PeerResult | null {
  if (trials.length === 0) return null
  const own = slices?.map(sliceResult)
  const rates = ratesOf(trials, slices)
  // One that serves a driver has the ring of its own cells.
  const serves = servesDriver(name)
  return {
    name: PEER_TITLES[name],
    version: report?.version ?? 'unknown',
    role: peerRole(name, spec.backend),
    mpps: medianInterval(rates.counted, random),
    trials: rates.all,
    ratios: cells
      .filter((cell) => !serves || (cell.ring === spec.ring && cell.inOrder === spec.inOrder))
      .flatMap((cell) => ratiosTo(cell, own ?? null, rates.counted, random)),
    ...(serves ? { ring: spec.ring, inOrder: spec.inOrder } : {}),
    ...(own === undefined ? {} : { slices: own, classes: classRates(own, needed, random) }),
    ...(report?.features == null ? {} : { features: [...report.features] }),
  }
}

type Ratio = NonNullable<PeerResult['ratios']>[number]

/** A cell's rate through the peer's: of each class that both have; where there are no slices, of all trials. */
function ratiosTo(
  { id, measured }: CellResult,
  own: NonNullable<PeerResult['slices']> | null,
  rates: readonly number[],
  random: Random,
): Ratio[] {
  if (measured === null) return []
  const { slices, classes } = measured
  if (own === null || slices === undefined || classes === undefined)
    return [{ cell: id, ratio: ratioInterval(rates, measured.trials, random) }]
  return PLACEMENTS.flatMap((place): Ratio[] => {
    if (classes[place] === null) return []
    const ratios = pairedRatios(own, slices, place)
    const needed = Math.min(classes[place].mpps.slices, slicesIn(own, place).length)
    if (ratios.length === 0 || needed === 0) return []
    return [{ cell: id, class: place, slices: ratios.flat().length, ratio: medianInterval(ratios, random) }]
  })
}
