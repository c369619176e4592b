import type { Moment } from '../machine/moment.ts'
import { packedTables } from './packed-tables.ts'
import { splitTables } from './split-tables.ts'

/** The three areas of the ring, as they lie in memory. */
export function ringTables(moment: Moment, before: Moment): HTMLElement {
  return moment.snapshot.queue.format === 'packed' ? packedTables(moment, before) : splitTables(moment, before)
}
