import { createHash } from 'node:crypto'
import { featureNames, VIRTIO_ID_NET } from '@vring/layout'
import { formatAccessor } from '@vring/registry'
import { formatBackend } from '../config/backend-spec.ts'
import type { ServeConfig } from '../config/serve-config.ts'
import type { Observation, Observed } from './metrics.ts'
import { rateCharts } from './rate-charts.ts'
import type { LatencySnapshot, Snapshot } from './snapshot.ts'

/** Colours of the system; sections side by side where the screen is wide; tables that scroll by themselves where it is narrow. */
const STYLE = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; background: Canvas; color: CanvasText; --soft: light-dark(#595959, #b0b0b0); --rule: light-dark(#c8c8c8, #4d4d4d); --line: light-dark(#0b57d0, #8ab4f8); --good: light-dark(#0d652d, #81c995); }
body { max-width: 80rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; margin: 0; }
h2, h3 { font-size: 1.125rem; margin: 0 0 0.5rem; }
h2.name { font-size: 1.375rem; margin: 2rem 0 1rem; border-block-start: 2px solid var(--rule); padding-block-start: 1rem; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 1.5rem; margin-block-end: 1.5rem; }
header p { margin: 0.25rem 0; }
a { color: var(--line); }
.sections { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 2rem 3rem; align-items: start; }
section { min-width: 0; }
section.wide { grid-column: 1 / -1; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.25rem 1.5rem; margin: 0; }
dt, caption { color: var(--soft); }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
.scroll + .scroll { margin-block-start: 1.5rem; }
table { border-collapse: collapse; }
caption { text-align: start; white-space: nowrap; padding-block-end: 0.25rem; }
th, td { padding: 0.25rem 0 0.25rem clamp(0.75rem, 2vw, 1.5rem); border-block-end: 1px solid var(--rule); text-align: start; font-weight: normal; }
th:first-child { padding-inline-start: 0; }
thead th { font-weight: 600; }
.number { text-align: end; font-variant-numeric: tabular-nums; }
.state { font-weight: 600; }
.state::before { content: ''; display: inline-block; inline-size: 0.65em; block-size: 0.65em; border-radius: 50%; margin-inline-end: 0.5em; background: var(--soft); }
.serving::before { background: var(--good); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 1rem 2rem; }
figure { margin: 0; }
figcaption { font-variant-numeric: tabular-nums; color: var(--soft); }
figcaption b { color: CanvasText; font-size: 1.25rem; }
svg { display: block; inline-size: 100%; block-size: 5rem; border-block-end: 1px solid var(--rule); }
polyline { fill: none; stroke: var(--line); stroke-width: 2; vector-effect: non-scaling-stroke; }
polygon { fill: var(--line); opacity: 0.15; }
@media (width < 30rem) { table { font-size: 0.875rem; } }
`

/** The page's style and nothing else: no script, no other source. */
export const PAGE_SECURITY_POLICY: string = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

/** How often the page loads itself again, s. */
const REFRESH_SECONDS = 5

/** The daemon at one moment, for people: one self-contained page that loads nothing but itself, again and again. */
export function renderStatusPage(observed: readonly Observed[], now = new Date()): string {
  const serving = observed.filter(({ observation }) => observation.snapshot.session !== null).length
  const state =
    observed.length === 1
      ? serving === 0
        ? 'waiting for a driver'
        : 'serving a driver'
      : `${serving} of ${observed.length} devices serve a driver`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="${REFRESH_SECONDS}">
<title>vring-serve: ${state}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>vring-serve</h1>
<p><span class="state${serving > 0 ? ' serving' : ''}">${state}</span>, as of <time datetime="${now.toISOString()}">${instant(now)}</time>, again every ${REFRESH_SECONDS} s.
<a href="/metrics">Metrics for Prometheus</a></p>
</header>
<main>
${overview(observed)}${observed.map((one) => deviceSections(one)).join('\n')}
</main>
</body>
</html>
`
}

/** Of several devices: a row for each, which leads to its part of the page. */
function overview(observed: readonly Observed[]): string {
  if (observed.length < 2) return ''
  const rows = observed.map(({ config, observation: { snapshot, history } }) => {
    const { txRate = 0, rxRate = 0, dropRate = 0 } = history.at(-1) ?? {}
    const rates = [txRate, rxRate, dropRate].map((rate) => number(Math.round(rate)))
    return [config.name, ...rates, String(snapshot.session === null ? 0 : 1)]
  })
  const head = ['Device', 'From its driver', 'To it', 'Dropped', 'Drivers']
  return `${table('Devices, frames a second', head, rows, 1, (name) => `#device-${name}`)}\n`
}

function deviceSections({ config, observation }: Observed): string {
  const { snapshot, kernel, history } = observation
  const isOnly = config.name === ''
  const section: Section = (part, title, content, kind = '') => {
    const id = isOnly ? part : `${part}-${config.name}`
    const heading = isOnly ? 'h2' : 'h3'
    const look = kind === '' ? '' : ` class="${kind}"`
    return `<section aria-labelledby="${id}"${look}>\n<${heading} id="${id}">${title}</${heading}>\n${content}\n</section>`
  }
  const sections = [
    section('rates', 'The last minutes', rateCharts(history), 'wide'),
    section('traffic', 'Traffic', trafficTable(snapshot)),
    section('settings', 'Settings and session', settingsList(config, observation)),
    section('queues', 'Queues', queueTable(snapshot)),
    section('latency', 'Latency', latencyTable(snapshot)),
    programSection(section, snapshot, kernel),
    section(
      'access',
      'Ring metadata',
      countsTable('Accesses by area and mode', ['Access', 'Count'], snapshot.accesses),
    ),
  ].join('\n')
  const name = isOnly ? '' : `<h2 id="device-${config.name}" class="name">Device ${escapeHtml(config.name)}</h2>\n`
  return `${name}<div class="sections">\n${sections}\n</div>`
}

/** A part of a device's page, with its heading. */
type Section = (part: string, title: string, content: string, kind?: 'wide' | '') => string

function settingsList(config: ServeConfig, { snapshot, link }: Observation): string {
  const { session } = snapshot
  const entries: [string, string][] = [
    ['Socket', `${config.socket} (${config.role})`],
    ['Backend', formatBackend(config.backend)],
    ['XDP program', config.xdp ?? 'none'],
    ['Accessor', formatAccessor(config.accessor)],
    [
      'Queue pairs',
      config.threads === 1 ? String(config.queuePairs) : `${config.queuePairs} over ${config.threads} threads`,
    ],
    ['Drivers so far', number(snapshot.sessions)],
  ]
  if (session !== null)
    entries.push(
      ['Connected since', instant(new Date(session.since))],
      ['Features', `${featureNames(BigInt(session.features), VIRTIO_ID_NET)} (${session.features})`],
      ['Shared memory', `${number(Math.round(session.memoryBytes / 2 ** 20))} MiB`],
      ['Requests refused', number(session.refusals)],
    )
  if (link !== null) {
    const carrier = link.info?.carrier === true ? 'carrier' : 'no carrier'
    const state = link.place === 'here' ? `${link.up ? 'up' : 'down'}, ${carrier}, MTU ${link.info?.mtu}` : link.place
    const program = link.hasProgram === false ? ', its XDP program was taken off' : ''
    entries.push(['Interface', `${link.name}: ${state}${program}`])
  }
  for (const { path, frames, lost, trouble } of snapshot.captures) {
    const now = trouble === null ? '' : `; ${trouble}`
    entries.push(['Capture', `${path}: ${number(frames)} frames, ${number(lost)} lost${now}`])
  }
  if (snapshot.lastError !== null) entries.push(['Last error', snapshot.lastError])
  return `<dl>\n${entries.map(([term, value]) => `<dt>${term}</dt><dd>${breakable(escapeHtml(value))}</dd>`).join('\n')}\n</dl>`
}

/** Paths and names of features may be broken where they have a joint. */
function breakable(html: string): string {
  return html.replace(/[/_](?=\w)/g, '$&<wbr>')
}

function trafficTable({ pairs }: Snapshot): string {
  const rows = pairs.flatMap((pair, index) => [
    [
      `${index}, from the driver${pair.gone ? ' (device deleted)' : ''}`,
      number(pair.txFrames),
      number(pair.txBytes),
      drops(pair.txDropped),
    ],
    [`${index}, to the driver`, number(pair.rxFrames), number(pair.rxBytes), drops(pair.rxDropped)],
  ])
  return table('Since the daemon started', ['Queue pair', 'Packets', 'Bytes', 'Dropped'], rows)
}

function queueTable({ queues, broken, notifications, wakeups }: Snapshot): string {
  const rows = queues.map((queue) => [
    String(queue.index),
    queue.index % 2 === 1 ? 'driver sends' : 'driver receives',
    number(queue.size),
    queue.broken !== null ? `broken: ${queue.broken}` : queue.enabled ? 'running' : 'disabled',
  ])
  const running =
    rows.length === 0
      ? '<p>No ring runs.</p>'
      : table('Rings that run', ['Queue', 'Direction', 'Entries', 'State'], rows, 0)
  const totals = `<p>${number(notifications)} notifications to drivers, ${number(wakeups)} wake-ups, broken so far: ${escapeHtml(drops(broken))}.</p>`
  return `${running}\n${totals}`
}

function latencyTable({ threads }: Snapshot): string {
  const row = (name: string, one: LatencySnapshot): string[] =>
    one.count === 0
      ? [name, '0', 'none yet', 'none yet', 'none yet']
      : [name, number(one.count), microseconds(one.p50), microseconds(one.p99), microseconds(one.max)]
  return table(
    'Microseconds',
    ['What', 'Timed', 'Median', 'p99', 'Longest'],
    threads.flatMap(({ thread, round, wakeToBackend }) => {
      const of = threads.length === 1 ? '' : `, thread ${thread}`
      return [row(`A round${of}`, round), row(`Wake-up to backend${of}`, wakeToBackend)]
    }),
  )
}

function programSection(
  section: Section,
  { verdicts, programCounts }: Snapshot,
  kernel: Observation['kernel'],
): string {
  const tables = [
    verdicts === null ? '' : countsTable('Frames by verdict', ['Verdict', 'Frames'], verdicts),
    programCounts === null ? '' : countsTable('Counted by the program', ['Counter', 'Value'], programCounts),
    kernel === null ? '' : countsTable('Counted by the program in the kernel', ['Counter', 'Value'], kernel),
  ].join('\n')
  return tables.trim() === '' ? '' : section('program', 'XDP program', tables)
}

function countsTable(caption: string, head: readonly string[], counts: Readonly<Record<string, number>>): string {
  const rows = Object.entries(counts)
    .sort(([one], [other]) => one.localeCompare(other, 'en', { numeric: true }))
    .map(([name, count]) => [name, number(count)])
  return rows.length === 0 ? `<p>${caption}: none.</p>` : table(caption, head, rows)
}

/**
 * A table whose first column names its rows; columns from the second on are numbers unless `numbers` is 0.
 *
 * @param href where the name of a row leads to
 */
function table(
  caption: string,
  head: readonly string[],
  rows: readonly string[][],
  numbers = 1,
  href: ((name: string) => string) | null = null,
): string {
  const name = (cell: string): string =>
    href === null ? escapeHtml(cell) : `<a href="${escapeHtml(href(cell))}">${escapeHtml(cell)}</a>`
  const kind = (column: number): string => (column > 0 && numbers > 0 ? ' class="number"' : '')
  const headings = head.map((name, column) => `<th scope="col"${kind(column)}>${name}</th>`).join('')
  const body = rows.map((row) => {
    const cells = row.map((cell, column) =>
      column === 0 ? `<th scope="row">${name(cell)}</th>` : `<td${kind(column)}>${escapeHtml(cell)}</td>`,
    )
    return `<tr>${cells.join('')}</tr>`
  })
  return `<div class="scroll" role="region" aria-label="${caption}" tabindex="0">
<table>
<caption>${caption}</caption>
<thead><tr>${headings}</tr></thead>
<tbody>
${body.join('\n')}
</tbody>
</table>
</div>`
}

function drops(counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts)
  return entries.length === 0 ? 'none' : entries.map(([reason, count]) => `${number(count)} ${reason}`).join(', ')
}

/** `2026-11-22 21:04:44 UTC`. */
function instant(date: Date): string {
  return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

function number(value: number): string {
  return value.toLocaleString('en')
}

function microseconds(ns: number): string {
  return (ns / 1000).toLocaleString('en', { maximumSignificantDigits: 3 })
}

function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return text.replace(/[&<>"']/g, (character) => entities[character]!)
}
