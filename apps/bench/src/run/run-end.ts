import { conformanceLines } from '../conformance/conformance-mark.ts'
import { EXIT_DISAGREE, EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_OK } from '../exit-codes.ts'
import type { Results } from '../results/results.ts'
import { claimLines, failedClaimChecks } from './claim-check.ts'
import type { Experiment } from './experiment.ts'

/** What a run ends with, and what it has to say on standard error. */
export interface RunEnd {
  readonly exitCode: number
  readonly lines: readonly string[]
}

/**
 * The end of a run. A cell that fails leaves the run done, as the others went on: it is named, here and in the results. With
 * every cell failed nothing was done.
 *
 * @param results with their claims judged
 */
export function runEnd(
  { disagreements, failedPeers, interrupted }: Omit<Experiment, 'results'>,
  results: Pick<Results, 'cells' | 'claims'>,
): RunEnd {
  const failed = results.cells.filter(({ failure }) => failure !== undefined)
  const nothing = failed.length > 0 && failed.length === results.cells.length
  const failedClaimsOfRun = failedClaimChecks(results.claims)
  const lines = [
    ...failed.map(({ id, failure }) => `${id} failed: ${failure}`),
    ...(nothing ? ['no cell has a result'] : []),
    ...conformanceLines(results),
    ...failedPeers,
    ...disagreements.map((line) => `results disagree: ${line}`),
    ...claimLines(failedClaimsOfRun),
  ]
  if (interrupted) return { exitCode: EXIT_INTERRUPTED, lines }
  if (nothing || failedPeers.length > 0) return { exitCode: EXIT_INTERNAL, lines }
  return { exitCode: disagreements.length > 0 || failedClaimsOfRun.length > 0 ? EXIT_DISAGREE : EXIT_OK, lines }
}
