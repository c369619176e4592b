import type { Steps } from '@vring/accessor'
import { CLAIMS, type Claim } from './claims.ts'
import type { Fit, VariantSteps } from './fit-profiles.ts'
import { predict } from './predict.ts'

/** What claims are held against. */
export interface Evidence {
  readonly fit: Fit
  readonly steps: VariantSteps
  /** Results of a bench by the key of a claim's subject; a missing one is "not tested". */
  readonly measured?: Readonly<Record<string, number>>
}

/** A claim and what became of it. */
export interface ClaimResult {
  readonly id: string
  readonly text: string
  readonly source: string
  readonly published: number
  readonly tolerance: number
  /** From the model, else null. */
  readonly modelled: number | null
  /** From a measurement of this run, else null. */
  readonly measured: number | null
  readonly verdict: 'reproduced' | 'not reproduced' | 'not tested'
  /** Why, for people. */
  readonly reason: string
}

/** Holds every claim against the evidence. A claim that fails is reported as failed, not left out. */
export function evaluateClaims(evidence: Evidence, claims: readonly Claim[] = CLAIMS): ClaimResult[] {
  return claims.map((claim) => evaluate(claim, evidence))
}

function evaluate(claim: Claim, evidence: Evidence): ClaimResult {
  const { id, text, source, published, tolerance, subject } = claim
  const common = { id, text, source, published, tolerance, modelled: null, measured: null }
  if (subject.kind === 'untestable') return { ...common, verdict: 'not tested', reason: subject.why }
  if (subject.kind === 'measured') {
    const value = evidence.measured?.[subject.key]
    if (value === undefined)
      return { ...common, verdict: 'not tested', reason: `no cells for ${subject.key} were measured` }
    return { ...common, measured: value, ...judge(value, published, tolerance) }
  }
  if (subject.kind === 'metadata-accesses') {
    const value = metadataAccesses(evidence.steps)
    return { ...common, modelled: value, ...judge(value, published, tolerance) }
  }
  const profile = evidence.fit.profiles.get(subject.setup)
  if (profile === undefined)
    return { ...common, verdict: 'not tested', reason: `no profile was fitted for ${subject.setup}` }
  const before = predict(profile, evidence.steps[subject.before], subject.smap)
  const after = predict(profile, evidence.steps[subject.after], subject.smap)
  const value = before.ns / after.ns - 1
  return { ...common, modelled: value, ...judge(value, published, tolerance) }
}

function judge(value: number, published: number, tolerance: number): Pick<ClaimResult, 'verdict' | 'reason'> {
  const difference = Math.abs(value - published)
  const within = difference <= tolerance
  return {
    verdict: within ? 'reproduced' : 'not reproduced',
    reason: `differs by ${difference.toFixed(3)}, ${within ? 'within' : 'more than'} ${tolerance}`,
  }
}

/** Each user access is one stac and clac pair; those that plain mappings need as well are the payload's. */
function metadataAccesses(steps: VariantSteps): number {
  const pairs = ({ stac, clac }: Steps): number => (stac + clac) / 2
  return pairs(steps['copy-checked']) - pairs(steps['vmap-direct'])
}
