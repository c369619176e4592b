import type { Steps } from '@vring/accessor'
import {
  COST_NAMES,
  type Interval,
  leaveOneOut,
  maskedByDifference,
  PUBLISHED,
  predict,
  type Residual,
  residuals,
  smapShares,
} from '@vring/cost-model'
import { oneOf } from '../arguments.ts'
import { EXIT_DISAGREE, EXIT_OK } from '../exit-codes.ts'
import { loadRegistry } from '../load-registry.ts'
import { formatPrice, type MachineCost, machineCosts, stepPrices } from '../machine/machine-costs.ts'
import { type MachineProfile, measureMachine } from '../machine/measure-machine.ts'
import { claimsSummary, claimsTable } from '../report/report-tables.ts'
import { createModel, judgedClaims, type Model, publishedRates } from '../results/model-results.ts'
import type { ClaimResult } from '../results/results.ts'
import { claimLines, failedClaims } from '../run/claim-check.ts'
import { colours } from '../terminal/colours.ts'
import { printText, toJson, writeOutput } from '../terminal/output.ts'
import { renderTable } from '../terminal/table.ts'
import type { BenchCommand } from './command.ts'
import { jsonArg } from './shared-args.ts'

/**
 * `vring-bench model`: fitted profiles with intervals, predictions, published values, residuals, each row left out,
 * claims.
 */
export const model: BenchCommand = {
  description: 'The cost model: fitted profiles, predictions, published values, residuals, each row left out, claims',
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
    const left = leaveOneOut(PUBLISHED, created.steps)
    const claims = judgedClaims(created)
    const exitCode = failedClaims(claims).length > 0 ? EXIT_DISAGREE : EXIT_OK
    const json = args.text('json')
    if (json !== null) {
      const plain = ({ row, ...rest }: Residual): object => ({ id: row.id, source: row.source, ...rest })
      writeOutput(
        '--json',
        json,
        toJson({
          steps: created.steps,
          parameters: created.fit.parameters,
          scatter: { sigma: created.fit.sigma, degreesOfFreedom: created.fit.degreesOfFreedom },
          profiles: Object.fromEntries(created.fit.profiles),
          published: publishedRates(),
          residuals: fitted.map(plain),
          heldOut: left.map(plain),
          smapShare: smapShares(),
          prediction: unpublished(created),
          claims,
          ...(machine === null ? {} : { machine: { ...machine, prices: stepPrices(machine), costs } }),
        }),
      )
      process.stderr.write(
        claimLines(failedClaims(claims))
          .map((line) => `${line}\n`)
          .join(''),
      )
      return exitCode
    }
    const parts: string[] = []
    if (profiles.includes('published'))
      parts.push(
        parameters(created),
        residualTable('All rows fitted', fitted),
        leftOutTable(left),
        claimsText(claims),
        cell(created),
        smapText(),
      )
    if (machine !== null) parts.push(pricesTable(machine), costsTable(costs))
    printText(parts.join('\n\n'))
    return exitCode
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
  const rows = fit.parameters.map(({ name, unit, value, interval, determined }) => [
    name,
    `${value.toFixed(2)}${intervalText(interval)}`,
    unit,
    determined ? '' : 'not told apart by the rows',
  ])
  const scatter =
    fit.sigma === null
      ? ''
      : `; rows scatter by ${(100 * fit.sigma).toFixed(1)} % (${fit.degreesOfFreedom} degrees of freedom)`
  const columns = [
    { title: 'name' },
    { title: 'value [95 %]', align: 'right' as const },
    { title: 'unit' },
    { title: '' },
  ]
  return `Parameters, fitted to all rows${scatter}\n${renderTable(columns, rows, colours.bold)}`
}

function intervalText(interval: Interval | null): string {
  return interval === null ? '' : ` [${interval.low.toFixed(2)}, ${interval.high.toFixed(2)}]`
}

function residualTable(title: string, rows: readonly Residual[]): string {
  const columns = [
    { title: 'published row' },
    { title: 'published', align: 'right' as const },
    { title: 'modelled', align: 'right' as const },
    { title: 'error', align: 'right' as const },
    { title: 'leverage', align: 'right' as const },
    { title: '' },
  ]
  const cells = rows.map(({ row, published, modelled, error, heldOut, determined, leverage }) => [
    row.id,
    published.toFixed(2),
    modelled.toFixed(2),
    `${error >= 0 ? '+' : ''}${(100 * error).toFixed(1)} %`,
    leverage === null ? '–' : leverage.toFixed(2),
    [
      leverage !== null && leverage > LEVERAGE_ALL ? 'the fit goes through it: it tests nothing' : '',
      row.kind === 'gain' && row.transfer ? "another machine: Broadwell's prices" : heldOut ? 'not in the fit' : '',
      determined ? '' : 'rests on a step that no other row tells',
      row.kind === 'gain' && (published - 1) * (modelled - 1) < 0 ? 'the sign is wrong' : '',
    ]
      .filter(Boolean)
      .join('; '),
  ])
  return `${title} (Mpps; gains as a ratio)\n${renderTable(columns, cells, colours.bold)}`
}

/** From this leverage on a row has made all of its own fitted value. */
const LEVERAGE_ALL = 0.999

/** Each row predicted by all the others, and the worst of those errors: what the model is worth. */
function leftOutTable(rows: readonly Residual[]): string {
  const settled = rows.filter(({ row, determined }) => determined && !(row.kind === 'gain' && row.transfer))
  const errors = settled.map(({ error }) => Math.abs(error))
  const root = Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length)
  const title =
    `Each row predicted by all the others: worst ${(100 * Math.max(...errors)).toFixed(1)} %, root mean square ` +
    `${(100 * root).toFixed(1)} % over the ${settled.length} that the others settle`
  return residualTable(title, rows)
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

/** The unpublished cell: the masked accessor with SMAP on. */
function unpublished({ fit, steps }: Model): {
  variant: string
  smap: 'on'
  mpps: number
  interval: Interval | null
  byDifference: number
} | null {
  const profile = fit.profiles.get('v4')
  if (profile === undefined) return null
  const { mpps } = predict(profile, steps['nospec-masked'], true)
  const interval = fit.rateInterval('v4', 'nospec-masked', true)
  return { variant: 'nospec-masked', smap: 'on', mpps, interval, byDifference: maskedByDifference() }
}

function cell(created: Model): string {
  const prediction = unpublished(created)
  if (prediction === null) return ''
  const { mpps, interval, byDifference } = prediction
  return (
    `nospec-masked with SMAP on was not published. The model says ${mpps.toFixed(2)}${intervalText(interval)} Mpps (V4's machine); ` +
    `differences of the published cells alone say ${byDifference.toFixed(2)}. Neither is a measurement.`
  )
}

/** What SMAP has to do with it, by the published rates alone. */
function smapText(): string {
  const rows = smapShares().map(({ setup, savedNs, withoutSmapNs, share }) => [
    setup,
    savedNs.toFixed(1),
    withoutSmapNs.toFixed(1),
    `${(100 * share).toFixed(0)} %`,
    `${(100 * (1 - share)).toFixed(0)} %`,
  ])
  const right = 'right' as const
  const columns = [
    { title: 'setup' },
    { title: 'saved, SMAP on', align: right },
    { title: 'saved, SMAP off', align: right },
    { title: 'SMAP', align: right },
    { title: 'not SMAP', align: right },
  ]
  return `What direct access saves, ns a packet, by the published rates alone\n${renderTable(columns, rows, colours.bold)}`
}
