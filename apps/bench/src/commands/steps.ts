import { eraOption } from '@vring/accessor'
import type { Registry } from '@vring/registry'
import { listOf, oneOf } from '../arguments.ts'
import { runAccessorCode } from '../cell/accessor-code.ts'
import {
  type AccessorChoice,
  type CellSpec,
  DEFAULT_CELL,
  makeCell,
  parseAccessorChoice,
  RINGS,
} from '../cell/cell-spec.ts'
import { KIT_LIMIT_MS } from '../conformance/examine-plugin.ts'
import { countSteps, type PacketSteps } from '../in-process/count-steps.ts'
import { countLines, type LineConditions, movedLines, type PacketLines } from '../lines/count-lines.ts'
import { RECYCLING } from '../lines/line-buffers.ts'
import { LINE_AREAS } from '../lines/line-cache.ts'
import { loadRegistry } from '../load-registry.ts'
import { ringText } from '../results/varied-conditions.ts'
import { colours } from '../terminal/colours.ts'
import { printText, toJson, writeOutput } from '../terminal/output.ts'
import { renderTable } from '../terminal/table.ts'
import type { BenchCommand } from './command.ts'
import { jsonArg, pluginArg, pluginPatienceArg } from './shared-args.ts'

/** Payload steps differ by era: Linux 5.0 copies header and frame apart, 6.18 in one piece. */
const PAYLOAD: Readonly<Record<string, 'copy' | 'copy-split'>> = { '2019': 'copy-split' }

/** `vring-bench steps`: steps per packet of each accessor, counted by running the real datapath. */
export const steps: BenchCommand = {
  description: 'Steps per packet of each accessor, counted by running the real datapath',
  runsPlugins: true,
  args: {
    accessor: { type: 'string', description: 'accessors; default all', valueHint: 'a,b' },
    era: {
      type: 'string',
      description: `kernel eras: ${eraOption.values.join(', ')}; default 2019,6.18`,
      valueHint: '2019,6.18',
    },
    ring: {
      type: 'string',
      description: `ring formats: ${RINGS.join(', ')}; default split`,
      valueHint: 'split,packed',
    },
    'in-order': { type: 'boolean', description: 'with VIRTIO_F_IN_ORDER' },
    seed: { type: 'string', description: 'seed of the frames; default 1', valueHint: 'N' },
    ...pluginArg,
    ...pluginPatienceArg(KIT_LIMIT_MS),
    ...jsonArg,
  },
  async run(args) {
    const registry = await loadRegistry(args.all('plugin'))
    const eras = (args.list('era') ?? ['2019', '6.18']).map((era) => oneOf('--era', era, eraOption.values))
    const seed = args.integer('seed', 0, 2 ** 32 - 1, 1)
    const texts = args.list('accessor') ?? registry.accessors.map(({ name }) => name)
    const inOrder = args.flag('in-order')
    const rings = (listOf(args, 'ring', RINGS) ?? [DEFAULT_CELL.ring]).map((ring): Ring => ({ ring, inOrder }))
    const rows: StepRow[] = []
    for (const ring of rings)
      for (const text of texts) {
        const choice = parseAccessorChoice(text, registry)
        const plugin = registry.accessor(choice.name)
        for (const { era, options } of inEras(choice, plugin.options.some(({ name }) => name === 'era') ? eras : [])) {
          const spec = makeCell({ ...choice, options }, plugin, { payload: PAYLOAD[era] ?? 'copy', ...ring })
          const counted = runAccessorCode(choice.name, () => countSteps(spec, registry, seed))
          rows.push({ accessor: choice.name, era, options, ...ring, ...counted })
        }
      }
    const lines = rings.flatMap((ring) => lineRows(registry, texts[0]!, ring))
    const json = args.text('json')
    if (json !== null) writeOutput('--json', json, toJson({ perPacket: rows, lines }))
    else printText([table(rows), '', linesText(lines)].join('\n'))
    return 0
  },
}

type Ring = Pick<CellSpec, 'ring' | 'inOrder'>

interface StepRow extends PacketSteps, Ring {
  readonly accessor: string
  readonly era: string
  readonly options: object
}

/** Batches and payloads that {@link countLines} is shown for. */
const LINE_BATCHES = [1, 32, 64]
const LINE_PAYLOADS = ['in-place', 'copy'] as const

/** Cache lines per packet under one set of conditions. */
interface LineRow extends LineConditions, Ring {
  readonly payload: string
  readonly lines: PacketLines
}

/** Lines do not depend on the accessor: each reaches the same bytes. */
function lineRows(registry: Registry, accessor: string, ring: Ring): LineRow[] {
  const choice = parseAccessorChoice(accessor, registry)
  return LINE_PAYLOADS.flatMap((payload) =>
    LINE_BATCHES.flatMap((batch) =>
      RECYCLING.flatMap((recycling): LineRow[] => {
        const spec = makeCell(choice, registry.accessor(choice.name), { payload, driver: 'testpmd', ...ring })
        const conditions = { batch, recycling, rewrites: true }
        const lines = runAccessorCode(choice.name, () => countLines(spec, registry, conditions))
        return lines === null ? [] : [{ ...conditions, ...ring, payload, lines }]
      }),
    ),
  )
}

function linesText(rows: readonly LineRow[]): string {
  const right = 'right' as const
  const columns = [
    { title: 'ring' },
    { title: 'payload' },
    { title: 'batch', align: right },
    { title: 'recycling' },
    ...LINE_AREAS.map((title) => ({ title, align: right })),
    { title: 'lines', align: right },
    { title: 'upgrades', align: right },
  ]
  const cells = rows.map(({ ring, inOrder, payload, batch, recycling, lines }) => [
    ringText(ring, inOrder),
    payload,
    String(batch),
    recycling,
    ...LINE_AREAS.map((area) => (lines[area].toDevice + lines[area].toDriver).toFixed(3)),
    movedLines(lines).toFixed(3),
    LINE_AREAS.reduce((sum, area) => sum + lines[area].upgrades, 0).toFixed(3),
  ])
  return [
    'Cache lines that move between driver and device per packet, both ways, xdp1, a ring of 256, a driver that writes',
    'descriptors and frames each time. upgrades: lines that a side had and took from the other to write.',
    renderTable(columns, cells, colours.bold),
  ].join('\n')
}

/** The choice once an era; once, era `-`, when the accessor knows none. */
function inEras(choice: AccessorChoice, eras: readonly string[]): { era: string; options: Record<string, string> }[] {
  if (eras.length === 0) return [{ era: '–', options: { ...choice.options } }]
  return eras.map((era) => ({ era, options: { ...choice.options, era } }))
}

function table(rows: readonly StepRow[]): string {
  const names = [...new Set(rows.flatMap(({ metadata }) => Object.keys(metadata)))]
  const columns = [
    { title: 'accessor' },
    { title: 'era' },
    { title: 'ring' },
    { title: 'accesses', align: 'right' as const },
    ...names.map((title) => ({ title, align: 'right' as const })),
    { title: 'payload' },
  ]
  const cells = rows.map(({ accessor, era, ring, inOrder, accesses, metadata, payload }) => [
    accessor,
    era,
    ringText(ring, inOrder),
    accesses.toFixed(3),
    ...names.map((name) => (metadata[name] === undefined ? '' : metadata[name].toFixed(3))),
    Object.entries(payload)
      .map(([name, count]) => `${name} ${Number(count.toFixed(2))}`)
      .join(' '),
  ])
  return `Metadata steps per packet, one descriptor each, the driver always ahead\n${renderTable(columns, cells, colours.bold)}`
}
