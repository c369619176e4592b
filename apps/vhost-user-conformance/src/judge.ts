import { hasFeature } from '@vring/layout'
import { Bench, type Offer } from './bench.ts'
import { type Case, CaseFailure, CaseSkip, type Level, type Needs } from './case.ts'
import { CASES } from './cases/index.ts'
import { type DeviceName, type DeviceProfile, deviceProfile } from './device/profile.ts'
import { featureName, protocolFeatureName } from './names.ts'
import { probe } from './probe.ts'
import type { Target } from './target.ts'

export type Result = 'pass' | 'fail' | 'skip'

export interface CaseResult {
  readonly id: string
  readonly title: string
  readonly clause: string
  readonly level: Level
  readonly result: Result
  /** Why it failed or was skipped; null: it passed. */
  readonly reason: string | null
  readonly durationMs: number
}

/** What was found. */
export interface Judgement {
  readonly offer: Offer
  readonly device: DeviceName | 'any'
  readonly results: readonly CaseResult[]
}

export interface JudgeOptions {
  /** Started already. */
  readonly target: Target
  /** What it is; `any`: the judge gives it no work. */
  readonly device: DeviceName | 'any'
  /** What it offers, if that is known. Default: it is asked. */
  readonly offer?: Offer
  /** Which cases. Default: all. */
  readonly cases?: readonly Case[]
  /** Told of each result as it comes. */
  readonly onResult?: (result: CaseResult) => void
}

/** Judges a back-end, case by case, each on connections of its own. */
export async function judge(options: JudgeOptions): Promise<Judgement> {
  const { target, device, cases = CASES, onResult } = options
  const profile = device === 'any' ? null : deviceProfile(device)
  const offer = options.offer ?? probe(target, profile)
  const results: CaseResult[] = []
  let gone: string | null = null
  for (const one of cases) {
    const start = performance.now()
    let verdict = gone === null ? tryCase(one, target, offer, profile) : skipped(gone)
    if (verdict.result !== 'skip' && !(await target.recovers())) {
      const ended = target.ended
      const what = ended === null ? 'it answers no new connection' : `the back-end has ended (${ended})`
      verdict = {
        result: 'fail',
        reason: verdict.reason === null ? `afterwards ${what}` : `${verdict.reason}; ${what}`,
      }
      if (target.isOurs) await target.restart()
      else gone = `the back-end is gone since ${one.id}`
    }
    const { id, title, clause, level } = one
    const result = { id, title, clause, level, ...verdict, durationMs: performance.now() - start }
    results.push(result)
    onResult?.(result)
  }
  return { offer, device, results }
}

type Verdict = Pick<CaseResult, 'result' | 'reason'>

function skipped(reason: string): Verdict {
  return { result: 'skip', reason }
}

function tryCase(one: Case, target: Target, offer: Offer, profile: DeviceProfile | null): Verdict {
  const missing = unmet(one.needs ?? {}, offer, profile)
  if (missing !== null) return skipped(missing)
  const bench = new Bench(target, offer, profile)
  try {
    one.run(bench)
    return { result: 'pass', reason: null }
  } catch (error) {
    if (error instanceof CaseSkip) return skipped(error.message)
    if (error instanceof CaseFailure) return { result: 'fail', reason: error.message }
    throw error
  } finally {
    bench.close()
  }
}

/** What a case needs and the back-end has not, for people; null: nothing. */
function unmet(needs: Needs, offer: Offer, profile: DeviceProfile | null): string | null {
  const { features = [], protocol = [], device, queues = 1, echo = false } = needs
  if (device !== undefined && profile === null) return 'the device is not known: --device net or --device blk'
  if (device !== undefined && device !== 'any known' && profile?.name !== device) return `for ${device} devices`
  const feature = features.find((bit) => !hasFeature(offer.features, bit))
  if (feature !== undefined) return `${featureName(feature, profile?.name ?? null)} is not offered`
  const bit = protocol.find((one) => !hasFeature(offer.protocol, one))
  if (bit !== undefined) return `protocol feature ${protocolFeatureName(bit)} is not offered`
  if (offer.queues < queues) return `the device has ${offer.queues} queues, not ${queues}`
  if (echo && !offer.echo) return 'frames that are transmitted do not come back'
  return null
}
