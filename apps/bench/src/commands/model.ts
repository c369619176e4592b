import type { Steps } from '@vring/accessor'
import { COST_NAMES, HELD_OUT, holdOut, PUBLISHED, predict, type Residual, residuals } from '@vring/cost-model'
import { oneOf } from '../arguments.ts'
import { colours } from '../colours.ts'
import { loadRegistry } from '../load-registry.ts'
import { formatPrice, type MachineCost, machineCosts, stepPrices } from '../machine/machine-costs.ts'
import { type MachineProfile, measureMachine } from '../machine/measure-machine.ts'
import { createModel, judgedClaims, type Model, publishedRates } from '../model-results.ts'
import { printText, toJson, writeOutput } from '../output.ts'
import { claimsSummary, claimsTable } from '../report/report-tables.ts'
import type { ClaimResult } from '../results.ts'
import { renderTable } from '../table.ts'
import type { BenchCommand } from './command.ts'
import { jsonArg } from './shared-args.ts'

/** `vring-bench model`: fitted profiles, predictions, published values, residuals, held-out rows, claims. */
export const model: BenchCommand = {
  description: 'The cost model: fitted profiles, predictions, published values, residuals, held-out rows, claims',
  args: {
    profile: {
      type: 'string',
      description: 'published: fitted to rates of 2019 (default); machine: steps timed on this processor',
      valueHint: 'published,machine',
    },
    seed: { type: 'string', description: 'seed of the frames; default 1', valueHint: 'N' },
    ...jsonArg,
  },
  async run(args) {
    const profiles = (args.list('profile') ?? ['published']).map((name) => oneOf('--profile', name, PROFILES))
    const created = createModel(await loadRegistry([]), args.integer('seed', 0, 2 ** 32 - 1, 1))
    const machine = profiles.includes('machine') ? measureMachine() : null
    const costs = machine === null ? null : machineCosts(machine, variantRows(created))
    const fitted = residuals(created.fit, PUBLISHED, created.steps)
    const held = holdOut(PUBLISHED, created.steps, HELD_OUT)
    const claims = judgedClaims(created)
    const json = args.text('json')
    if (json !== null) {
      const plain = ({ row, ...rest }: Residual): object => ({ id: row.id, source: row.source, ...rest })
      writeOutput(
        '--json',
        json,
        toJson({
          steps: created.steps,
          parameters: created.fit.parameters,
          profiles: Object.fromEntries(created.fit.profiles),
          published: publishedRates(),
          residuals: fitted.map(plain),
          heldOut: held.filter(({ heldOut }) => heldOut).map(plain),
          prediction: unpublished(created),
          claims,
          ...(machine === null ? {} : { machine: { ...machine, prices: stepPrices(machine), costs } }),
        }),
      )
      return 0
    }
    const parts: string[] = []
    if (profiles.includes('published'))
      parts.push(
        parameters(created),
        residualTable('All rows fitted', fitted),
        heldOutTable(held),
        claimsText(claims),
        cell(created),
      )
    if (machine !== null) parts.push(pricesTable(machine), costsTable(costs))
    printText(parts.join('\n\n'))
    return 0
  },
}

/** What `--profile` takes. */
const PROFILES = ['published', 'machine'] as const

/** Each published way of access with its steps, metadata and payload together. */
function variantRows({ steps }: Model): { label: string; steps: Partial<Steps> }[] {
  return Object.entries(steps).map(([label, counted]) => ({ label, steps: counted }))
}

function pricesTable(machine: MachineProfile): string {
  const right = 'right' as const
  const rows = stepPrices(machine).map((price) => [
    price.step,
    formatPrice(price),
    price.ns === null || price.interval === null || machine.clockGHz === null
      ? '–'
      : Math.abs(price.ns * machine.clockGHz).toFixed(1),
    price.from,
  ])
  const title =
    machine.clockGHz === null
      ? 'This machine'
      : `This machine: a core at ${machine.clockGHz.toFixed(2)} GHz; a step in a chain of loads that hit the first cache`
  const columns = [
    { title: 'step' },
    { title: 'ns [95 %]', align: right },
    { title: 'cycles', align: right },
    { title: '' },
  ]
  return `${title}\n${renderTable(columns, rows, colours.bold)}`
}

function costsTable(costs: readonly MachineCost[] | null): string {
  if (costs === null) return 'Without prices nothing can be predicted for this machine.'
  const right = 'right' as const
  const measured = COST_NAMES.filter((name) => name !== 'smapPair')
  const columns = [
    { title: 'way of access' },
    ...measured.map((title) => ({ title, align: right })),
    { title: 'measured steps', align: right },
    { title: 'SMAP pairs, published', align: right },
  ]
  const rows = costs.map(({ label, parts, measuredNs, smapNs }) => [
    label,
    ...measured.map((name) => (parts[name] ?? 0).toFixed(1)),
    measuredNs.toFixed(1),
    smapNs.toFixed(1),
  ])
  return [
    'ns a packet of these steps on this machine: a prediction, without what every packet costs besides',
    renderTable(columns, rows, colours.bold),
  ].join('\n')
}

function parameters({ fit }: Model): string {
  const rows = fit.parameters.map(({ name, unit, value, determined }) => [
    name,
    value.toFixed(2),
    unit,
    determined ? '' : 'not told apart by the rows',
  ])
  return `Parameters\n${renderTable([{ title: 'name' }, { title: 'value', align: 'right' }, { title: 'unit' }, { title: '' }], rows, colours.bold)}`
}

function residualTable(title: string, rows: readonly Residual[]): string {
  const columns = [
    { title: 'published row' },
    { title: 'published', align: 'right' as const },
    { title: 'modelled', align: 'right' as const },
    { title: 'error', align: 'right' as const },
    { title: '' },
  ]
  const cells = rows.map(({ row, published, modelled, error, heldOut, determined }) => [
    row.id,
    published.toFixed(2),
    modelled.toFixed(2),
    `${error >= 0 ? '+' : ''}${(100 * error).toFixed(1)} %`,
    [
      heldOut ? 'not in the fit' : '',
      determined ? '' : 'rests on a step that no other row tells',
      row.kind === 'gain' && (published - 1) * (modelled - 1) < 0 ? 'the sign is wrong' : '',
    ]
      .filter(Boolean)
      .join('; '),
  ])
  return `${title} (Mpps; gains as a ratio)\n${renderTable(columns, cells, colours.bold)}`
}

function heldOutTable(rows: readonly Residual[]): string {
  return residualTable(
    'Rows that were held out, predicted from the others',
    rows.filter(({ heldOut }) => heldOut),
  )
}

/** Published claims as the model judges them, and why one is not reproduced. Those about measurements take a run. */
function claimsText(claims: readonly ClaimResult[]): string {
  const { columns, rows } = claimsTable(claims)
  const shown = ['claim', 'published', 'modelled', 'verdict'].map((title) =>
    columns.findIndex((column) => column.title === title),
  )
  const table = renderTable(
    shown.map((index) => ({
      title: columns[index]!.title,
      align: columns[index]!.number === true ? 'right' : ('left' as const),
    })),
    rows.map((row) => shown.map((index) => row[index]!)),
    colours.bold,
  )
  const { counts, failed } = claimsSummary(claims)
  return [`Published claims: ${counts}`, table, ...failed.map((text) => `not reproduced  ${text}`)].join('\n')
}

/** The cell that nobody published: the masked accessor with SMAP on. */
function unpublished({ fit, steps }: Model): { variant: string; smap: 'on'; mpps: number } | null {
  const profile = fit.profiles.get('v4')
  if (profile === undefined) return null
  return { variant: 'nospec-masked', smap: 'on', mpps: predict(profile, steps['nospec-masked'], true).mpps }
}

function cell(created: Model): string {
  const prediction = unpublished(created)
  return prediction === null
    ? ''
    : `Nobody published nospec-masked with SMAP on. The model says ${prediction.mpps.toFixed(2)} Mpps (V4's machine): model output, not a measurement.`
}
