import type { AccessorPlugin } from '@vring/accessor'
import { applicableCases, type ConformanceOptions, runConformance } from '../accessor-conformance.ts'
import { withOptions } from '../with-options.ts'
import { contractMutants } from './contract-mutants.ts'
import { dataPlaneMutants } from './data-plane-mutants.ts'
import { iotlbMutants } from './iotlb-mutants.ts'
import { machineMutants } from './machine-mutants.ts'
import type { Mutant } from './mutant.ts'
import { supportsMutants } from './supports-mutants.ts'
import { windowMutants } from './window-mutants.ts'

/** Every mutant. */
export const MUTANTS: readonly Mutant[] = [
  ...windowMutants,
  ...machineMutants,
  ...contractMutants,
  ...dataPlaneMutants,
  ...iotlbMutants,
  ...supportsMutants,
]

/** Asked only of the mutants that they have to find: a table asks some thousand questions. */
const SLOW_SUITES: readonly string[] = [
  'model',
  'speculation',
  'data plane',
  'ring',
  'ring order',
  'ring notifications',
  'hostile ring',
]

/** What became of one mutant. */
export interface Kill {
  readonly mutant: string
  readonly flaw: string
  /** Title of the case that has to find it. */
  readonly expected: string
  /** What that case said, or null: the mutant survived. */
  readonly verdict: string | null
  /** Cases that found it, the expected one among them if it did; slow suites are asked for the expected one only. */
  readonly killers: number
}

/**
 * Makes every mutant that can be made of `plugin` and runs the conformance cases on it. It shows what the kit is worth,
 * and whether a change to it still finds what it found.
 */
export function killTable(plugin: AccessorPlugin, { options = {} }: ConformanceOptions = {}): Kill[] {
  const judged = withOptions(plugin, options)
  return MUTANTS.filter((mutant) => mutant.appliesTo?.(judged) ?? true).map((mutant) => {
    const mutated = mutant.mutate(judged)
    const cases = applicableCases(mutated).filter(
      ({ suite, title }) => title === mutant.killedBy || !SLOW_SUITES.includes(suite),
    )
    const failures = runConformance(mutated, { options }, cases).filter(({ failure }) => failure !== null)
    return {
      mutant: mutant.name,
      flaw: mutant.flaw,
      expected: mutant.killedBy,
      verdict: failures.find(({ title }) => title === mutant.killedBy)?.failure ?? null,
      killers: failures.length,
    }
  })
}

/** The table of kills, a line a mutant. */
export function formatKillTable(kills: readonly Kill[]): string {
  const name = Math.max(...kills.map(({ mutant }) => mutant.length))
  const flaw = Math.max(...kills.map((kill) => kill.flaw.length))
  const lines = kills.map(
    (kill) =>
      `${kill.verdict === null ? 'SURVIVED' : 'killed  '}  ${kill.mutant.padEnd(name)}  ${kill.flaw.padEnd(flaw)}  ` +
      `${String(kill.killers).padStart(2)}x  ${kill.expected}`,
  )
  const killed = kills.filter(({ verdict }) => verdict !== null).length
  return [...lines, `${killed} of ${kills.length} mutants killed by the case that must find them`].join('\n')
}
