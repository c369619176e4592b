import { type CatalogueEntry, explore, limitsOf } from '@vring/explorer'
import { entries } from './entries.ts'
import type { EntryFacts, Request, Response } from './protocol.ts'

/** Does what a request asks for; runs in a worker, as an exploration may take a second. */
export function answer(request: Request): Response {
  if (request.kind === 'list') return { kind: 'list', entries: entries.map(factsOf) }
  const entry = entries.find(({ id }) => id === request.id)
  if (entry === undefined) return { kind: 'failed', message: `the catalogue has no entry ${request.id}` }
  const started = performance.now()
  const scenario = request.subject === 'faulty' ? entry.scenario : entry.repaired
  const exploration = explore(scenario, limitsOf(entry))
  return { kind: 'explored', exploration, ms: performance.now() - started }
}

function factsOf({ scenario, repaired: _repaired, ...facts }: CatalogueEntry): EntryFacts {
  return { ...facts, description: scenario.description }
}
