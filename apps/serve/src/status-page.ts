import { createHash } from 'node:crypto'
import { featureNames, VIRTIO_ID_NET } from '@vring/layout'
import { formatAccessor } from '@vring/registry'
import { formatBackend } from './backend-spec.ts'
import type { Observation, Observed } from './metrics.ts'
import { rateCharts } from './rate-charts.ts'
import type { ServeConfig } from './serve-config.ts'
import type { LatencySnapshot, Snapshot } from './snapshot.ts'

/** Colours of the system, one column, tables that scroll by themselves where the screen is narrow. */
const STYLE = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; margin-block: 0.5rem; }
h2 { font-size: 1.125rem; margin-block: 2rem 0.5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.25rem 1.5rem; margin: 0; }
dt { opacity: 0.8; }
dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
.scroll + .scroll { margin-block-start: 1.5rem; }
table { border-collapse: collapse; }
caption { text-align: start; white-space: nowrap; opacity: 0.8; padding-block-end: 0.25rem; }
th, td { padding: 0.25rem 0 0.25rem clamp(0.75rem, 2vw, 1.5rem); border-block-end: 1px solid GrayText; text-align: start; font-weight: normal; }
th:first-child { padding-inline-start: 0; }
thead th { font-weight: 600; }
.number { text-align: end; font-variant-numeric: tabular-nums; }
.state { font-weight: 600; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 1rem; }
figure { margin: 0; }
figcaption { font-variant-numeric: tabular-nums; }
svg { inline-size: 100%; block-size: 4rem; border-block-end: 1px solid GrayText; }
polyline { fill: none; stroke: LinkText; stroke-width: 2; vector-effect: non-scaling-stroke; }
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
<p><span class="state">${state}</span>, as of <time datetime="${now.toISOString()}">${instant(now)}</time>, again every ${REFRESH_SECONDS} s.
<a href="/metrics">Metrics for Prometheus</a></p>
</header>
<main>
${observed.map((one) => deviceSections(one)).join('\n')}
</main>
</body>
</html>
`
}

function deviceSections({ config, observation }: Observed): string {
  const { snapshot, kernel, history } = observation
  const id = (part: string): string => (config.name === '' ? part : `${part}-${config.name}`)
  const title = config.name === '' ? 'Device' : `Device ${escapeHtml(config.name)}`
  return [
    section(id('device'), title, settingsList(config, observation)),
    section(id('rates'), 'The last minutes', rateCharts(history)),
    section(id('traffic'), 'Traffic', trafficTable(snapshot)),
    section(id('queues'), 'Queues', queueTable(snapshot)),
    section(id('latency'), 'Latency', latencyTable(snapshot)),
    section(
      id('access'),
      'Ring metadata',
      countsTable('Accesses by area and mode', ['Access', 'Count'], snapshot.accesses),
    ),
    programSection(id('program'), snapshot, kernel),
  ].join('\n')
}

function section(id: string, title: string, content: string): string {
  return `<section aria-labelledby="${id}">\n<h2 id="${id}">${title}</h2>\n${content}\n</section>`
}

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
    entries.push(['Interface', `${link.name}: ${state}`])
  }
  for (const { path, frames, lost, trouble } of snapshot.captures) {
    const now = trouble === null ? '' : `; ${trouble}`
    entries.push(['Capture', `${path}: ${number(frames)} frames, ${number(lost)} lost${now}`])
  }
  if (snapshot.lastError !== null) entries.push(['Last error', snapshot.lastError])
  return `<dl>\n${entries.map(([term, value]) => `<dt>${term}</dt><dd>${escapeHtml(value)}</dd>`).join('\n')}\n</dl>`
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
    ['What', 'Timed', 'Median', '99th percentile', 'Longest'],
    threads.flatMap(({ thread, round, wakeToBackend }) => {
      const of = threads.length === 1 ? '' : `, thread ${thread}`
      return [row(`A round${of}`, round), row(`Wake-up to backend${of}`, wakeToBackend)]
    }),
  )
}

function programSection(id: string, { verdicts, programCounts }: Snapshot, kernel: Observation['kernel']): string {
  const tables = [
    verdicts === null ? '' : countsTable('Frames by verdict', ['Verdict', 'Frames'], verdicts),
    programCounts === null ? '' : countsTable('Counted by the program', ['Counter', 'Value'], programCounts),
    kernel === null ? '' : countsTable('Counted by the program in the kernel', ['Counter', 'Value'], kernel),
  ].join('\n')
  return tables.trim() === '' ? '' : section(id, 'XDP program', tables)
}

function countsTable(caption: string, head: readonly string[], counts: Readonly<Record<string, number>>): string {
  const rows = Object.entries(counts)
    .sort(([one], [other]) => one.localeCompare(other, 'en', { numeric: true }))
    .map(([name, count]) => [name, number(count)])
  return rows.length === 0 ? `<p>${caption}: none.</p>` : table(caption, head, rows)
}

/** A table whose first column names its rows; columns from the second on are numbers unless `numbers` is 0. */
function table(caption: string, head: readonly string[], rows: readonly string[][], numbers = 1): string {
  const kind = (column: number): string => (column > 0 && numbers > 0 ? ' class="number"' : '')
  const headings = head.map((name, column) => `<th scope="col"${kind(column)}>${name}</th>`).join('')
  const body = rows.map((row) => {
    const cells = row.map((cell, column) =>
      column === 0 ? `<th scope="row">${escapeHtml(cell)}</th>` : `<td${kind(column)}>${escapeHtml(cell)}</td>`,
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
