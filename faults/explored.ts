import * as parts from '@vring/accessor'
import { explore, type FindingKind, type QueueScenario } from '@vring/explorer'

/**
 * What the explorer finds in a scenario over the code that ships, in every schedule; null: nothing.
 *
 * @throws Error where the search did not come to its end
 */
export function findingIn(scenario: QueueScenario): FindingKind | null {
  const { finding, exhausted } = explore(scenario({ parts, sync: 'spinlock' }))
  if (finding === null && !exhausted) throw new Error('not every schedule was searched')
  return finding === null ? null : finding.kind
}
