import type { SyncName } from '@vring/mmu-notifier'
import type { MappedAccessorParts } from '../mapped-accessor.ts'
import type { FindingKind, MemoryModel } from '../operation.ts'
import type { MappedChoice, QueueOptions } from '../queue-world.ts'
import type { QueueScenario } from '../scenarios/index.ts'
import type { CatalogueEntry } from './catalogue-entry.ts'

export const REVIEW = 'review of 7f466032dc9e, M. S. Tsirkin, J. Gunthorpe, 2019'
export const FIXES = 'fixes of August 2019, v5'

/** An entry as the tables give it: one scenario, and what the faulty run differs in. */
export interface Draft {
  readonly id: string
  readonly title: string
  readonly source: string
  readonly variant: string
  readonly expected: FindingKind
  readonly memoryModel?: MemoryModel
  readonly scenario: QueueScenario
  readonly with: Omit<MappedChoice, 'parts'> & QueueOptions
  readonly repairedBy: SyncName
  /** What the repaired scenario needs beside its strategy. */
  readonly repairedWith?: QueueOptions
  /** As in {@link CatalogueEntry}. */
  readonly waitLimit?: number
}

/** The entry for an accessor, under its own id or another. */
export function entryOf(draft: Draft, parts: MappedAccessorParts, id: string = draft.id): CatalogueEntry {
  const { title, source, variant, expected, repairedBy, scenario, waitLimit = 1 } = draft
  return {
    id,
    title,
    source: id === draft.id ? source : FIXES,
    variant,
    expected,
    memoryModel: draft.memoryModel ?? 'sc',
    scenario: scenario({ ...draft.with, parts }),
    repaired: scenario({ ...draft.repairedWith, parts, sync: repairedBy }),
    repairedBy,
    waitLimit,
  }
}
