import type { Area } from '@vring/layout'
import {
  AVAIL_FLAGS_OFFSET,
  AVAIL_IDX_OFFSET,
  AVAIL_RING_OFFSET,
  availEventOffset,
  DESC_BYTES,
  errnoName,
  PACKED_DESC_BYTES,
  PACKED_DESC_FLAGS_OFFSET,
  PACKED_DESC_ID_OFFSET,
  PACKED_DESC_LEN_OFFSET,
  PACKED_EVENT_FLAGS_OFFSET,
  USED_ELEM_BYTES,
  USED_FLAGS_OFFSET,
  USED_IDX_OFFSET,
  USED_RING_OFFSET,
  usedEventOffset,
} from '@vring/layout'
import { PAGE_BYTES, PAGE_POISON } from '@vring/memory'
import type { MmuNotifierRange } from '@vring/mmu-notifier'
import { GUEST_BASE, QUEUE_SIZE, REGIONS, type RingFormat, USER_BASE } from './layout.ts'
import type { Happening } from './moment.ts'
import type { AccessTrace } from './traced-accessor.ts'

/** The field of a ring that an offset of an area is in, as the standard names it: `avail.ring[3]`. */
export function fieldAt(area: Area, offset: number, format: RingFormat = 'split'): string {
  if (format === 'packed') return packedFieldAt(area, offset)
  if (area === 'desc') return `desc[${Math.floor(offset / DESC_BYTES)}]`
  const ringName = area === 'driver' ? 'avail' : 'used'
  const [flags, idx, ring, bytes, event, eventName] =
    area === 'driver'
      ? [AVAIL_FLAGS_OFFSET, AVAIL_IDX_OFFSET, AVAIL_RING_OFFSET, 2, usedEventOffset(QUEUE_SIZE), 'used_event']
      : [
          USED_FLAGS_OFFSET,
          USED_IDX_OFFSET,
          USED_RING_OFFSET,
          USED_ELEM_BYTES,
          availEventOffset(QUEUE_SIZE),
          'avail_event',
        ]
  if (offset === flags) return `${ringName}.flags`
  if (offset === idx) return `${ringName}.idx`
  if (offset === event) return eventName as string
  return `${ringName}.ring[${Math.floor((offset - (ring as number)) / (bytes as number))}]`
}

/** Likewise of a packed ring: `desc[3].flags`, `driver event`. */
function packedFieldAt(area: Area, offset: number): string {
  if (area !== 'desc') return offset === PACKED_EVENT_FLAGS_OFFSET ? `${area} event.flags` : `${area} event`
  const names: Readonly<Record<number, string>> = {
    [PACKED_DESC_FLAGS_OFFSET]: '.flags',
    [PACKED_DESC_ID_OFFSET]: '.id',
    [PACKED_DESC_LEN_OFFSET]: '.len',
  }
  return `desc[${Math.floor(offset / PACKED_DESC_BYTES)}]${names[offset % PACKED_DESC_BYTES] ?? ''}`
}

/** A loaded value for people: flags of a packed descriptor in hexadecimal, as they are bits. */
function valueText(field: string, value: number): string {
  return field.endsWith('].flags') ? `0x${value.toString(16)}` : String(value)
}

/** A word of a frame that was freed. */
const POISON = PAGE_POISON * 0x101
const FREED = '; 0xaaaa is what freed frames are filled with'

/** An access of the device to the ring. */
export function narrateAccess(trace: AccessTrace, format: RingFormat): Happening {
  const { area, access, offset, length, mode, result } = trace
  const field = fieldAt(area, offset, format)
  const write = access.startsWith('store')
  const fault = result < 0
  const value = access.startsWith('load') && access !== 'loadWords' ? ` → ${valueText(field, result)}` : ''
  const count = access === 'storeWords' && length > USED_ELEM_BYTES ? `, ${length / USED_ELEM_BYTES} elements` : ''
  const verb = write ? 'stores' : 'loads'
  return {
    actor: 'device',
    title: fault ? `${verb} ${field}: ${errnoName(result)}` : `${verb} ${field}${value}${count}`,
    detail: `${access} at ${area} + ${offset}, ${length} bytes, ${mode === 'window' ? 'by a window' : mode}${result === POISON ? FREED : ''}`,
    fault,
    trace,
    touch: { region: area, offset, length, write },
  }
}

/** Start or end of an invalidation. */
export function narrateNotifier(phase: 'start' | 'end', { start, end, event, blockable }: MmuNotifierRange): Happening {
  const from = (start - USER_BASE) / PAGE_BYTES
  const pages = (end - start) / PAGE_BYTES
  const names = REGIONS.filter(({ page, pages: count }) => page < from + pages && from < page + count)
  return {
    actor: 'kernel',
    title: `invalidate_range_${phase}: ${event}, ${names.map(({ name }) => name).join(', ')}`,
    detail: [
      `${pages} ${pages === 1 ? 'page' : 'pages'} from 0x${start.toString(16)}`,
      phase === 'start'
        ? blockable
          ? 'listeners give up their mappings; they may wait'
          : 'listeners give up their mappings; they must not wait'
        : 'the page table has changed; mapping is allowed again',
    ].join('; '),
  }
}

/** A range of the driver's buffers, and what resolving it gave: an offset or a negative errno. */
export interface ResolvedRange {
  readonly address: number
  readonly length: number
  readonly status: number
}

/** An access of the device to the driver's buffers, which goes through no window; `ranges` is not empty. */
export function narrateBuffers(ranges: readonly ResolvedRange[]): Happening {
  const failed = ranges.find(({ status }) => status < 0)
  const bytes = ranges.map(({ length }) => length).join(' + ')
  const { address, length } = ranges[0]!
  const offset = address - GUEST_BASE
  const region = REGIONS.find(({ page, pages }) => offset >= PAGE_BYTES * page && offset < PAGE_BYTES * (page + pages))
  const title = `reads ${bytes} bytes at guest address 0x${address.toString(16)}`
  return {
    actor: 'device',
    title: failed === undefined ? title : `${title}: ${errnoName(failed.status)}`,
    detail: length === DESC_BYTES ? 'a descriptor of an indirect table' : 'payload, copied out of the driver’s memory',
    fault: failed !== undefined,
    ...(region === undefined
      ? {}
      : { touch: { region: region.name, offset: offset - PAGE_BYTES * region.page, length, write: false } }),
  }
}
