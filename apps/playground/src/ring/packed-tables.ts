import {
  AREAS,
  PACKED_DESC_BYTES,
  PACKED_DESC_FLAGS_OFFSET,
  PACKED_DESC_ID_OFFSET,
  PACKED_DESC_LEN_OFFSET,
  PACKED_EVENT_FLAGS_OFFSET,
  PACKED_EVENT_OFF_WRAP_OFFSET,
  RING_EVENT_FLAGS_DESC,
  RING_EVENT_FLAGS_DISABLE,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_USED,
} from '@vring/layout'
import { QUEUE_SIZE } from '../machine/layout.ts'
import type { Moment } from '../machine/moment.ts'
import { type Cell, dataTable } from '../page/data-table.ts'
import { element } from '../page/element.ts'
import { AreaView, areaCaption, descriptorFlags, hex } from './area-view.ts'

const POSITION = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED

/** The three areas of a packed ring, as they lie in memory. */
export function packedTables(moment: Moment, before: Moment): HTMLElement {
  const [desc, driver, device] = AREAS.map((area) => new AreaView(area, moment, before)) as [
    AreaView,
    AreaView,
    AreaView,
  ]
  const { nextAvail } = moment.snapshot.queue
  const bit = (mask: number) => (flags: number) => ((flags & mask) === 0 ? '0' : '1')
  return element(
    'div',
    { class: 'ring-tables' },
    dataTable(
      areaCaption('Descriptor ring', desc),
      ['slot', 'address', 'length', 'id', 'avail', 'used', 'flags'],
      Array.from({ length: QUEUE_SIZE }, (_, slot) => {
        const at = PACKED_DESC_BYTES * slot
        const flags = at + PACKED_DESC_FLAGS_OFFSET
        return [
          slot === nextAvail ? `${slot} ◂` : String(slot),
          desc.cell(at, 8, hex),
          desc.cell(at + PACKED_DESC_LEN_OFFSET, 4),
          desc.cell(at + PACKED_DESC_ID_OFFSET, 2),
          desc.cell(flags, 2, bit(VIRTQ_DESC_F_AVAIL)),
          desc.cell(flags, 2, bit(VIRTQ_DESC_F_USED)),
          desc.cell(flags, 2, (value) => descriptorFlags(value & ~POSITION)),
        ]
      }),
    ),
    dataTable(areaCaption('Driver event suppression', driver), ['field', 'value'], suppression(driver)),
    dataTable(areaCaption('Device event suppression', device), ['field', 'value'], suppression(device)),
  )
}

/** VirtIO 1.3 section 2.8.10. */
function suppression(area: AreaView): (readonly (Cell | string)[])[] {
  return [
    ['desc_event_off', area.cell(PACKED_EVENT_OFF_WRAP_OFFSET, 2, (value) => String(value & 0x7fff))],
    ['desc_event_wrap', area.cell(PACKED_EVENT_OFF_WRAP_OFFSET, 2, (value) => String(value >>> 15))],
    ['flags', area.cell(PACKED_EVENT_FLAGS_OFFSET, 2, eventFlags)],
  ]
}

function eventFlags(value: number): string {
  const flags = value & 3
  if (flags === RING_EVENT_FLAGS_DESC) return 'DESC'
  return flags === RING_EVENT_FLAGS_DISABLE ? 'DISABLE' : 'ENABLE'
}
