import type { Moment } from '../machine/moment.ts'
import { fieldAt } from '../machine/narrate.ts'
import type { AccessTrace } from '../machine/traced-accessor.ts'
import { type Cell, dataTable } from '../page/data-table.ts'

/** What the device loaded and stored in its last round, and what memory says of the same bytes now. */
export function seenTable(moments: readonly Moment[], cursor: number): HTMLElement {
  return dataTable(
    'What the device saw, what memory says',
    ['field', 'device', 'memory'],
    seenRows(moments, cursor),
    'no access yet',
  )
}

/** Rows of {@link seenTable}: a field each, in the order of its first access. */
export function seenRows(moments: readonly Moment[], cursor: number): (Cell | string)[][] {
  const past = moments.slice(0, cursor + 1)
  const round = past.findLast(({ trace }) => trace !== undefined)?.action
  const seen = new Map<string, AccessTrace>()
  for (const { action, trace } of past)
    if (trace !== undefined && action === round && trace.result >= 0)
      seen.set(`${trace.area} ${trace.offset} ${trace.length}`, trace)
  const { snapshot, trace: last } = moments[cursor]!
  return [...seen.values()].map((trace) => {
    const device = hexWords(trace.words, trace.length)
    const memory = hexWords(wordsIn(snapshot.areas[trace.area], trace), trace.length)
    const stale = snapshot.mappings.some((mapping) => mapping.area === trace.area && mapping.stale)
    const now = trace === last ? (trace.access.startsWith('store') ? 'written' : 'read') : undefined
    return [
      fieldAt(trace.area, trace.offset, snapshot.queue.format),
      { text: device, mark: now },
      { text: memory, mark: device === memory ? undefined : stale ? 'bad' : 'changed' },
    ]
  })
}

function wordsIn(bytes: Uint8Array | null, { offset, length }: AccessTrace): readonly number[] {
  if (bytes === null) return []
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  if (length === 2) return [view.getUint16(offset, true)]
  return Array.from({ length: length / 4 }, (_, index) => view.getUint32(offset + 4 * index, true))
}

/** `0x0001`; of more than a word each in its own group; `no page` of nothing. */
function hexWords(words: readonly number[], length: number): string {
  if (words.length === 0) return 'no page'
  return words.map((word) => `0x${(word >>> 0).toString(16).padStart(length === 2 ? 4 : 8, '0')}`).join(' ')
}
