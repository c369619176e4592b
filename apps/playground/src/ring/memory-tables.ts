import { AREAS } from '@vring/layout'
import { PAGE_BYTES } from '@vring/memory'
import { regionOf } from '../machine/layout.ts'
import type { Moment, Touch } from '../machine/moment.ts'
import type { MappingState, PageState, Snapshot } from '../machine/snapshot.ts'
import { type Cell, dataTable } from '../page/data-table.ts'
import { element } from '../page/element.ts'

const hex = (value: number): string => `0x${value.toString(16)}`

/** Page table, mappings, IOTLB and what must not happen. */
export function memoryTables({ snapshot, touch }: Moment, { snapshot: before }: Moment): HTMLElement {
  const touched = touch === undefined ? -1 : touchedPage(touch)
  const pages = snapshot.pages.map((page, index) =>
    pageRow(page, before.pages[index]!, index === touched ? touch : undefined),
  )
  return element(
    'div',
    { class: 'memory-tables' },
    dataTable('Page table of the process that runs the guest', PAGE_COLUMNS, pages),
    dataTable(
      'Direct mappings of the device',
      ['area', 'for', 'state'],
      AREAS.flatMap((area) => {
        const mapping = snapshot.mappings.find((candidate) => candidate.area === area)
        return mapping === undefined ? [] : [mappingRow(mapping, before.mappings)]
      }),
      'none: every access goes through the page table',
    ),
    iotlbTable(snapshot),
    violations(snapshot),
  )
}

/** Page of the guest's memory that an access begins in. */
function touchedPage({ region, offset }: Touch): number {
  return regionOf(region).page + Math.floor(offset / PAGE_BYTES)
}

const PAGE_COLUMNS = ['page', 'user address', 'mapping', 'frame', 'flags', 'in the TLB for']

function pageRow(page: PageState, before: PageState, touch: Touch | undefined): (Cell | string)[] {
  const cell = (show: (state: PageState) => string): Cell => ({
    text: show(page),
    mark: show(page) === show(before) ? undefined : 'changed',
  })
  return [
    { text: page.region, mark: touch === undefined ? undefined : touch.write ? 'written' : 'read' },
    hex(page.userAddress),
    cell(({ vma }) => vma ?? 'unmapped'),
    cell(({ frame, swapSlot }) => (frame >= 0 ? String(frame) : swapSlot >= 0 ? `swap ${swapSlot}` : '–')),
    cell(({ flags }) => (flags.length === 0 ? '–' : flags.join(', '))),
    cell(({ tlb }) => tlb || '–'),
  ]
}

function mappingRow({ area, write, frame, stale }: MappingState, before: readonly MappingState[]): (Cell | string)[] {
  const known = before.some((mapping) => mapping.area === area && mapping.frame === frame)
  return [
    area,
    write ? 'writing' : 'reading',
    stale
      ? { text: `stale: still frame ${frame}`, mark: 'bad' }
      : { text: `frame ${frame}`, mark: known ? undefined : 'changed' },
  ]
}

function iotlbTable({ iotlb }: Snapshot): HTMLElement | null {
  if (iotlb === null) return null
  return dataTable(
    `Device IOTLB: ${iotlb.openMisses} ${iotlb.openMisses === 1 ? 'question' : 'questions'} open`,
    ['IOVA', 'to', 'user address'],
    iotlb.entries.map(({ iova, last, uaddr }) => [hex(iova), hex(last), hex(uaddr)]),
    'no translation',
  )
}

function violations({ violations: found, openInvalidations, mappings }: Snapshot): HTMLElement {
  const stale = mappings
    .filter((mapping) => mapping.stale)
    .map(({ area }) => `The mapping of ${area} outlived its page.`)
  const wrong = [...stale, ...found]
  const open = openInvalidations === 0 ? 'No invalidation is open.' : `Open invalidations: ${openInvalidations}.`
  const lines = [open, ...(wrong.length === 0 ? ['Nothing has gone wrong.'] : wrong)]
  return element(
    'div',
    { class: wrong.length === 0 ? 'soft' : 'note wrong' },
    ...lines.map((text) => element('p', {}, text)),
  )
}
