import {
  AREAS,
  AVAIL_FLAGS_OFFSET,
  AVAIL_IDX_OFFSET,
  availEventOffset,
  availRingOffset,
  DESC_BYTES,
  USED_ELEM_BYTES,
  USED_FLAGS_OFFSET,
  USED_IDX_OFFSET,
  usedEventOffset,
  usedRingOffset,
} from '@vring/layout'
import { QUEUE_SIZE } from '../machine/layout.ts'
import type { Moment } from '../machine/moment.ts'
import { dataTable } from '../page/data-table.ts'
import { element } from '../page/element.ts'
import { AreaView, areaCaption, descriptorFlags, hex } from './area-view.ts'

/** The three areas of a split ring, as they lie in memory. */
export function splitTables(moment: Moment, before: Moment): HTMLElement {
  const [desc, avail, used] = AREAS.map((area) => new AreaView(area, moment, before)) as [AreaView, AreaView, AreaView]
  const slots = Array.from({ length: QUEUE_SIZE }, (_, slot) => slot)
  const { nextAvail, usedIdx } = moment.snapshot.queue
  // Where the device is: what it takes next, and where it puts the next used element.
  const here = (slot: number, index: number): string => (slot === index % QUEUE_SIZE ? `${slot} ◂` : String(slot))
  return element(
    'div',
    { class: 'ring-tables' },
    dataTable(
      areaCaption('Descriptor table', desc),
      ['index', 'address', 'length', 'flags', 'next'],
      slots.map((index) => {
        const at = DESC_BYTES * index
        return [
          String(index),
          desc.cell(at, 8, hex),
          desc.cell(at + 8, 4),
          desc.cell(at + 12, 2, descriptorFlags),
          desc.cell(at + 14, 2),
        ]
      }),
    ),
    dataTable(
      areaCaption('Avail ring', avail),
      ['field', 'value'],
      [
        ['flags', avail.cell(AVAIL_FLAGS_OFFSET, 2)],
        ['idx', avail.cell(AVAIL_IDX_OFFSET, 2)],
        ...slots.map((slot) => [here(slot, nextAvail), avail.cell(availRingOffset(slot), 2)]),
        ['used_event', avail.cell(usedEventOffset(QUEUE_SIZE), 2)],
      ],
    ),
    dataTable(
      areaCaption('Used ring', used),
      ['field', 'id or value', 'length'],
      [
        ['flags', used.cell(USED_FLAGS_OFFSET, 2), ''],
        ['idx', used.cell(USED_IDX_OFFSET, 2), ''],
        ...slots.map((slot) => {
          const at = usedRingOffset(slot)
          return [here(slot, usedIdx), used.cell(at, 4), used.cell(at + USED_ELEM_BYTES / 2, 4)]
        }),
        ['avail_event', used.cell(availEventOffset(QUEUE_SIZE), 2), ''],
      ],
    ),
  )
}
