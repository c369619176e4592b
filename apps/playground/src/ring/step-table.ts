import { noSteps, type Steps } from '@vring/accessor'
import { XDP_VERDICT_NAMES } from '@vring/xdp'
import type { Moment } from '../machine/moment.ts'
import { dataTable } from '../page/data-table.ts'
import { element } from '../page/element.ts'

/** How each step is called, in the order in which an access takes them. */
const TITLES: Readonly<Record<keyof Steps, string>> = {
  limitCheck: 'limit check',
  mask: 'mask',
  lock: 'lock',
  iotlbLookup: 'IOTLB lookup',
  stac: 'stac',
  lfence: 'lfence',
  walk: 'walk',
  load: 'load',
  store: 'store',
  clac: 'clac',
  rmb: 'read barrier',
  wmb: 'write barrier',
  mb: 'full barrier',
  copyBytes: 'bytes copied',
}
const NAMES = Object.keys(TITLES) as (keyof Steps)[]

/** What the Cpu port counted: this access, and a packet of all rounds so far, metadata and payload apart. */
export function stepTables(moment: Moment): HTMLElement {
  const { totals } = moment.snapshot
  const { metadata, payload, packets, notifications, accesses, verdicts } = totals
  const now: Partial<Record<string, number>> = {}
  for (const step of moment.steps ?? []) now[step] = (now[step] ?? 0) + 1
  const perPacket = (steps: Steps, name: keyof Steps): string =>
    packets === 0 ? '–' : (steps[name] / packets).toFixed(2)
  const none = noSteps()
  const rows = NAMES.filter((name) => metadata[name] + payload[name] + (now[name] ?? none[name]) > 0).map((name) => [
    TITLES[name],
    now[name] === undefined ? '' : String(now[name]),
    String(metadata[name]),
    perPacket(metadata, name),
    perPacket(payload, name),
  ])
  const counts = Object.entries(accesses).map(([mode, count]) => [mode, String(count)])
  const drops = XDP_VERDICT_NAMES.flatMap((name, verdict) =>
    (verdicts[verdict] ?? 0) > 0 ? [`${verdicts[verdict]} ${name}`] : [],
  )
  return element(
    'div',
    { class: 'step-tables' },
    dataTable(
      `Steps of the Cpu port; ${packets} ${packets === 1 ? 'packet' : 'packets'} so far`,
      ['step', 'this access', 'metadata so far', 'metadata per packet', 'payload per packet'],
      rows,
      'no access yet',
    ),
    dataTable('Accesses so far', ['area: mode', 'count'], counts),
    element(
      'p',
      { class: 'soft' },
      `Notifications: ${notifications}. xdp1: ${drops.length === 0 ? 'no frame yet' : drops.join(', ')}.`,
    ),
  )
}
