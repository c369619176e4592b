import type { Steps } from '@vring/accessor'
import { claimDifferenceText } from './claim-text.ts'
import { CLAIMS, type Claim, type GainSubject } from './claims.ts'
import { fitProfiles, type VariantSteps } from './fit-profiles.ts'
import { predict } from './predict.ts'
import type { PublishedRate, PublishedRow } from './published.ts'

/** What claims are held against. */
export interface Evidence {
  /** Published rows that profiles are fitted to: for each claim all but its own. */
  readonly rows: readonly PublishedRow[]
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
  /** From a model that was fitted without the claim's own rows, else null. */
  readonly modelled: number | null
  /** Ids of the published rows that the claim is about, and that were left out of its fit. */
  readonly leftOut: readonly string[]
  /** From a measurement of this run, else null. */
  readonly measured: number | null
  readonly verdict: 'reproduced' | 'not reproduced' | 'not tested'
  /** Why, for people; of a failure also what is missing, where that is known. */
  readonly reason: string
  /**
   * What the model lacks, of a failure that is known: {@link KnownFailure.missing}. Null of one that is news, and of
   * every other verdict.
   */
  readonly missing: string | null
}

/** Holds every claim against the evidence. A claim that fails is reported as failed, not left out. */
export function evaluateClaims(evidence: Evidence, claims: readonly Claim[] = CLAIMS): ClaimResult[] {
  return claims.map((claim) => evaluate(claim, evidence))
}

function evaluate(claim: Claim, evidence: Evidence): ClaimResult {
  const { id, text, source, published, tolerance, subject } = claim
  const common = { id, text, source, published, tolerance, modelled: null, leftOut: [], measured: null, missing: null }
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
  return { ...common, ...judgeModelled(subject, claim, evidence) }
}

/**
 * Judges a gain by rows that the claim is not about: a fit that contains a claim's own rows agrees with it by
 * construction.
 */
function judgeModelled(
  subject: GainSubject,
  claim: Claim,
  { rows, steps }: Evidence,
): Judgement & Pick<ClaimResult, 'modelled' | 'leftOut'> {
  const { setup, before, after, smap } = subject
  const own = rows.filter((row) => isOwn(row, subject))
  const leftOut = own.map(({ id }) => id)
  const untold = (reason: string) => ({
    verdict: 'not tested' as const,
    reason,
    missing: null,
    modelled: null,
    leftOut,
  })
  const others = rows.filter((row) => !own.includes(row))
  if (!others.some((row) => row.kind === 'rate' && row.setup === setup))
    return untold(`cannot be tested: without its own rows no rate of ${setup} is left to fit`)
  const fit = fitProfiles(others, steps)
  if (![before, after].every((variant) => fit.determines(rateOf(setup, variant, smap)))) {
    const names = fit.parameters.filter(({ determined }) => !determined).map(({ name }) => name)
    return untold(`cannot be tested: only its own rows tell ${names.join(', ')}`)
  }
  const profile = fit.profiles.get(setup)!
  const value = predict(profile, steps[before], smap).ns / predict(profile, steps[after], smap).ns - 1
  return { modelled: value, leftOut, ...judgeGain(value, claim) }
}

/** Is a published row one of the two rates that a gain is made of, or that gain itself? */
function isOwn(row: PublishedRow, { setup, before, after, smap }: GainSubject): boolean {
  if (row.setup !== setup || row.smap !== smap) return false
  if (row.kind === 'rate') return row.variant === before || row.variant === after
  return row.before === before && row.after === after
}

/** A row of a rate whose value does not matter: what it takes to predict it does. */
function rateOf(setup: GainSubject['setup'], variant: GainSubject['before'], smap: boolean): PublishedRate {
  return { kind: 'rate', id: '', setup, variant, smap, mpps: 1, source: '' }
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
