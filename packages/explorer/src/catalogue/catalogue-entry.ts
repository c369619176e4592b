import type { SyncName } from '@vring/mmu-notifier'
import type { ExploreOptions } from '../exploration.ts'
import type { FindingKind, MemoryModel } from '../operation.ts'
import type { Scenario } from '../scenario.ts'

/** A bug of the patch's history, or of another implementation: what shows it, and that the shipped code does not have it. */
export interface CatalogueEntry {
  /** `M1` to `M26` and `fix 1` to `fix 9` as the history numbers them; kernel commits and CVEs by their id. */
  readonly id: string
  readonly title: string
  /** Where it is told of. */
  readonly source: string
  /** What is put back: a strategy or a queue that is itself at fault, or a variant of a shipped one. */
  readonly variant: string
  /** What the explorer must find. */
  readonly expected: FindingKind
  /** The model that the bug needs. */
  readonly memoryModel: MemoryModel
  /** Preemptions that both searches are bounded to; default: unbounded. */
  readonly preemptions?: number
  /** Accesses that one hold of the mapping may take, and an invalidation wait for. */
  readonly waitLimit: number
  readonly scenario: Scenario
  /** The same threads over the shipped code, which must be exhausted without a finding. */
  readonly repaired: Scenario
  /** What the repaired scenario runs. */
  readonly repairedBy: SyncName
}

/** What both searches of an entry are run with. */
export function limitsOf({ memoryModel, preemptions, waitLimit }: CatalogueEntry): ExploreOptions {
  return preemptions === undefined ? { memoryModel, waitLimit } : { memoryModel, waitLimit, preemptions }
}
