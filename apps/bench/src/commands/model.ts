import { HELD_OUT, holdOut, PUBLISHED, predict, type Residual, residuals } from '@vring/cost-model'
import pc from 'picocolors'
import { loadRegistry } from '../load-registry.ts'
import { createModel, type Model, publishedRates } from '../model-results.ts'
import { toJson, writeOutput } from '../output.ts'
import { renderTable } from '../table.ts'
import type { BenchCommand } from './command.ts'
import { jsonArg } from './shared-args.ts'

/** `vring-bench model`: fitted profiles, predictions, published values, residuals, held-out rows. */
export const model: BenchCommand = {
  description: 'The cost model: fitted profiles, predictions, published values, residuals, held-out rows',
  args: { seed: { type: 'string', description: 'seed of the frames; default 1', valueHint: 'N' }, ...jsonArg },
  async run(args) {
    const created = createModel(await loadRegistry([]), args.integer('seed', 0, 2 ** 32 - 1, 1))
    const fitted = residuals(created.fit, PUBLISHED, created.steps)
    const held = holdOut(PUBLISHED, created.steps, HELD_OUT)
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
        }),
      )
      return 0
    }
    writeOutput(
      '',
      '-',
      [parameters(created), residualTable('All rows fitted', fitted), heldOutTable(held), cell(created)].join('\n\n'),
    )
    return 0
  },
}

function parameters({ fit }: Model): string {
  const rows = fit.parameters.map(({ name, unit, value, determined }) => [
    name,
    value.toFixed(2),
    unit,
    determined ? '' : 'not told apart by the rows',
  ])
  return `Parameters\n${renderTable([{ title: 'name' }, { title: 'value', align: 'right' }, { title: 'unit' }, { title: '' }], rows, pc.bold)}`
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
  return `${title} (Mpps; gains as a ratio)\n${renderTable(columns, cells, pc.bold)}`
}

function heldOutTable(rows: readonly Residual[]): string {
  return residualTable(
    'Rows that were held out, predicted from the others',
    rows.filter(({ heldOut }) => heldOut),
  )
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
