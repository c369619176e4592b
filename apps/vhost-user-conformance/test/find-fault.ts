import type { Case } from '../src/case.ts'
import { CASES } from '../src/cases/index.ts'
import { deviceProfile } from '../src/device/profile.ts'
import { type Judgement, judge } from '../src/judge.ts'
import { probe } from '../src/probe.ts'
import { Target } from '../src/target.ts'
import type { Fault } from './faults.ts'
import type { ModelProcess } from './model-process.ts'

/**
 * What is not there by then counts as a failure, which is what a faulty model is to have; a right one gets the usual
 * time. In ms.
 */
const PATIENCE_MS = 60

/** What a model with this fault, or none, fails. */
export async function casesThatFail(
  model: ModelProcess,
  { device, name }: Pick<Fault, 'device' | 'name'>,
  cases: readonly Case[] = CASES,
): Promise<Judgement['results']> {
  const socket = await model.become(device, 'none')
  const offer = probe(new Target({ socket, spawn: null }), deviceProfile(device))
  const faulty = new Target({
    socket: await model.become(device, name),
    spawn: null,
    patienceMs: name === 'none' ? 2000 : PATIENCE_MS,
  })
  // What it offers itself, where that is what is wrong; else nothing may be asked before the case.
  const asked = OFFERS.has(name)
    ? probe(new Target({ socket: faulty.socket, spawn: null }), deviceProfile(device))
    : offer
  const results: Judgement['results'][number][] = []
  for (const one of cases) {
    results.push(...(await judge({ target: faulty, device, offer: asked, cases: [one] })).results)
    if (results.at(-1)!.result === 'fail' && name === 'fragile') await model.become(device, name)
  }
  return results
}

/** Faults of what is offered. */
const OFFERS: ReadonlySet<string> = new Set([
  'no-version-1',
  'unknown-protocol-bit',
  'inband-alone',
  'read-only',
  'read-only-writes',
])

/** The cases whose id is one of these, or begins with one that ends in `-` or `/`. */
export function casesOf(ids: readonly string[]): Case[] {
  return CASES.filter(({ id }) => ids.some((one) => id === one || (/[-/]$/.test(one) && id.startsWith(one))))
}
