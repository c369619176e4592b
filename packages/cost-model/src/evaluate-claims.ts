import type { Steps } from '@vring/accessor'
import { claimDifferenceText } from './claim-text.ts'
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
  /** Why, for people; of a failure also what is missing, where that is known. */
  readonly reason: string
  /** What the model lacks, of a failure that is known: {@link KnownFailure.missing}. Null of one that is news, and of every other verdict. */
  readonly missing: string | null
}

/** Holds every claim against the evidence. A claim that fails is reported as failed, not left out. */
export function evaluateClaims(evidence: Evidence, claims: readonly Claim[] = CLAIMS): ClaimResult[] {
  return claims.map((claim) => evaluate(claim, evidence))
}

function evaluate(claim: Claim, evidence: Evidence): ClaimResult {
  const { id, text, source, published, tolerance, subject } = claim
  const common = { id, text, source, published, tolerance, modelled: null, measured: null, missing: null }
  if (subject.kind === 'untestable') return { ...common, verdict: 'not tested', reason: subject.why }
  if (subject.kind === 'measured') {
    const value = evidence.measured?.[subject.key]
    if (value === undefined) return { ...common, verdict: 'not tested', reason: subject.how }
    return { ...common, measured: value, ...judgeGain(value, claim) }
  }
  if (subject.kind === 'metadata-accesses') {
    const value = metadataAccesses(evidence.steps)
    return { ...common, modelled: value, ...judge(value, claim) }
  }
  const profile = evidence.fit.profiles.get(subject.setup)
  if (profile === undefined)
    return { ...common, verdict: 'not tested', reason: `no profile was fitted for ${subject.setup}` }
  const before = predict(profile, evidence.steps[subject.before], subject.smap)
  const after = predict(profile, evidence.steps[subject.after], subject.smap)
  const value = before.ns / after.ns - 1
  return { ...common, modelled: value, ...judgeGain(value, claim) }
}

type Judgement = Pick<ClaimResult, 'verdict' | 'reason' | 'missing'>

/** A gain that comes out as a loss is not reproduced, however near the two are. A claim of no difference has no sign. */
function judgeGain(value: number, claim: Claim): Judgement {
  const { published } = claim
  if (published === 0 || value * published > 0) return judge(value, claim)
  const word = (gain: number): string => (gain > 0 ? 'a gain' : gain < 0 ? 'a loss' : 'no difference')
  return failed(value, `${word(value)}, where ${word(published)} was published`, claim)
}

function judge(value: number, claim: Claim): Judgement {
  const { published, tolerance } = claim
  const difference = Math.abs(value - published)
  const [by, limit] = [difference, tolerance].map((one) => claimDifferenceText(claim, one))
  if (difference > tolerance) return failed(value, `differs by ${by}, more than ${limit}`, claim)
  return { verdict: 'reproduced', reason: `differs by ${by}, within ${limit}`, missing: null }
}

function failed(value: number, reason: string, { known }: Claim): Judgement {
  if (known === undefined || value < known.from || value > known.to)
    return { verdict: 'not reproduced', reason, missing: null }
  const { missing } = known
  return { verdict: 'not reproduced', reason: `${reason}; missing: ${missing}`, missing }
}

/** Each user access is one stac and clac pair; those that plain mappings need as well are the payload's. */
function metadataAccesses(steps: VariantSteps): number {
  const pairs = ({ stac, clac }: Steps): number => (stac + clac) / 2
  return pairs(steps['copy-checked']) - pairs(steps['vmap-direct'])
}
