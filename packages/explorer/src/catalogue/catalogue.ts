import type { MappedAccessorParts } from '../mapped-accessor.ts'
import type { CatalogueEntry } from './catalogue-entry.ts'
import { doubleFetches } from './double-fetches.ts'
import { entryOf } from './draft.ts'
import { hazards } from './hazards.ts'
import { laterFixes } from './later-fixes.ts'
import { spaceFaults } from './space-faults.ts'

/** The fixes of August 2019 whose bug has another number above. */
const FIX_OF: Readonly<Record<string, string>> = {
  'fix 1': 'M4',
  'fix 2': 'M1',
  'fix 3': 'M5',
  'fix 5': 'M6',
  'fix 7': 'M12',
  'fix 8': 'M7',
  'fix 9': 'M10',
}

/**
 * Every bug, in the order of the history's numbers; then those of rings and of address spaces; all over the given
 * accessor.
 */
export function catalogue(parts: MappedAccessorParts): readonly CatalogueEntry[] {
  return [
    ...[...hazards, ...laterFixes, ...doubleFetches].map((draft) => entryOf(draft, parts)),
    ...Object.entries(FIX_OF).map(([fix, id]) => entryOf(hazards.find((draft) => draft.id === id)!, parts, fix)),
    ...spaceFaults(parts),
  ]
}
