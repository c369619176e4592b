import {
  AREAS,
  type Area,
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
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from '@vring/layout'
import { QUEUE_SIZE } from '../machine/layout.ts'
import type { Moment, Touch } from '../machine/moment.ts'
import { type Cell, dataTable } from '../page/data-table.ts'
import { element } from '../page/element.ts'

/** An area at one moment, and how its bytes are to be marked. */
class AreaView {
  readonly #bytes: Uint8Array | null
  readonly #before: Uint8Array | null
  readonly #touch: Touch | null

  constructor(area: Area, moment: Moment, before: Moment) {
    this.#bytes = moment.snapshot.areas[area]
    this.#before = before.snapshot.areas[area]
    this.#touch = moment.touch?.region === area ? moment.touch : null
  }

  get present(): boolean {
    return this.#bytes !== null
  }

  number(offset: number, length: 2 | 4 | 8): number {
    const { buffer, byteOffset } = this.#bytes!
    const view = new DataView(buffer, byteOffset)
    if (length === 2) return view.getUint16(offset, true)
    const low = view.getUint32(offset, true)
    return length === 4 ? low : low + view.getUint32(offset + 4, true) * 2 ** 32
  }

  cell(offset: number, length: 2 | 4 | 8, show: (value: number) => string = String): Cell {
    if (this.#bytes === null) return { text: '–' }
    return { text: show(this.number(offset, length)), mark: this.#mark(offset, length) }
  }

  #mark(offset: number, length: number): Cell['mark'] {
    const touch = this.#touch
    if (touch !== null && offset < touch.offset + touch.length && touch.offset < offset + length)
      return touch.write ? 'written' : 'read'
    const now = this.#bytes!
    const before = this.#before
    if (before === null) return 'changed'
    for (let at = offset; at < offset + length; at++) if (now[at] !== before[at]) return 'changed'
    return undefined
  }
}

const hex = (value: number): string => `0x${value.toString(16)}`

/** `NEXT INDIRECT`, as the standard abbreviates its flags. */
function descriptorFlags(flags: number): string {
  const names: readonly (readonly [number, string])[] = [
    [VIRTQ_DESC_F_NEXT, 'next'],
    [VIRTQ_DESC_F_WRITE, 'write'],
    [VIRTQ_DESC_F_INDIRECT, 'indirect'],
  ]
  const known = names.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name)
  return known.length === 0 ? (flags === 0 ? '–' : hex(flags)) : known.join(', ')
}

/** The three areas of the ring, as they lie in memory. */
export function ringTables(moment: Moment, before: Moment): HTMLElement {
  const [desc, avail, used] = AREAS.map((area) => new AreaView(area, moment, before)) as [AreaView, AreaView, AreaView]
  const slots = Array.from({ length: QUEUE_SIZE }, (_, slot) => slot)
  const { nextAvail, usedIdx } = moment.snapshot.queue
  // Where the device is: what it takes next, and where it puts the next used element.
  const here = (slot: number, index: number): string => (slot === index % QUEUE_SIZE ? `${slot} ◂` : String(slot))
  return element(
    'div',
    { class: 'ring-tables' },
    dataTable(
      caption('Descriptor table', desc),
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
      caption('Avail ring', avail),
      ['field', 'value'],
      [
        ['flags', avail.cell(AVAIL_FLAGS_OFFSET, 2)],
        ['idx', avail.cell(AVAIL_IDX_OFFSET, 2)],
        ...slots.map((slot) => [here(slot, nextAvail), avail.cell(availRingOffset(slot), 2)]),
        ['used_event', avail.cell(usedEventOffset(QUEUE_SIZE), 2)],
      ],
    ),
    dataTable(
      caption('Used ring', used),
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

function caption(title: string, area: AreaView): string {
  return area.present ? title : `${title} (no page there)`
}
