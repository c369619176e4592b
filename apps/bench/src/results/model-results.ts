import { noSteps, type Steps } from '@vring/accessor'
import {
  CLAIMS,
  evaluateClaims,
  type Fit,
  fitProfiles,
  type ClaimResult as ModelClaim,
  PUBLISHED,
  predict,
  REFERENCE_STEPS,
  SETUPS,
  type SetupId,
  VARIANTS,
  type Variant,
  type VariantSteps,
} from '@vring/cost-model'
import type { Registry } from '@vring/registry'
import { makeCell } from '../cell/cell-spec.ts'
import { countSteps } from '../in-process/count-steps.ts'
import type { CellResult, ClaimResult, ModelledRow, PublishedRow, Results } from './results.ts'

/** The setup that tables show beside a measurement: the version of the patch that the thread is about. */
export const DEFAULT_SETUP: SetupId = 'v4'

/** What modelling needs of the datapath and of the literature. */
export interface Model {
  readonly steps: VariantSteps
  readonly fit: Fit
}

/** Counts the steps of every published way of access on the real datapath and fits the profiles to the published rates. */
export function createModel(registry: Registry, seed: number): Model {
  const names = Object.keys(VARIANTS) as Variant[]
  const steps = Object.fromEntries(
    names.map((name): [Variant, Steps] => {
      const { accessor, options } = VARIANTS[name]
      const spec = makeCell({ name: accessor, options }, registry.accessor(accessor), { payload: 'copy-split' })
      const { metadata, payload } = countSteps(spec, registry, seed, 'none')
      return [name, addSteps(metadata, payload)]
    }),
  ) as Record<Variant, Steps>
  return { steps, fit: fitProfiles(PUBLISHED, steps) }
}

/** Counts by name, added up and completed with zeros. */
function addSteps(...parts: readonly Readonly<Record<string, number>>[]): Steps {
  const sum = noSteps()
  for (const name of Object.keys(sum) as (keyof Steps)[]) for (const part of parts) sum[name] += part[name] ?? 0
  return sum
}

/**
 * Results with what the model says of each cell, the published rates, and what became of the published claims.
 *
 * @param smap states to model
 */
export function withModel(results: Results, model: Model, smap: readonly ('off' | 'on')[] = ['off', 'on']): Results {
  return {
    ...results,
    cells: results.cells.map((cell) => ({ ...cell, modelled: modelCell(cell, model, smap) })),
    published: publishedRates(),
    claims: judgedClaims(model, measuredGains(results)),
  }
}

/** What a cell's steps cost under each fitted profile. */
function modelCell(cell: CellResult, { fit }: Model, smap: readonly ('off' | 'on')[]): ModelledRow[] {
  if (Object.keys(cell.steps).length === 0) return []
  const steps = addSteps(cell.steps, cell.payloadSteps ?? {})
  return [...fit.profiles].flatMap(([setup, profile]) =>
    smap.map((state): ModelledRow => {
      const { mpps, parts, unpriced } = predict(profile, steps, state === 'on')
      return { profile: setup, smap: state, mpps, parts: { ...parts }, unpriced: [...unpriced] }
    }),
  )
}

/** The published rates, each under the accessor that stands for its way of access. */
export function publishedRates(): PublishedRow[] {
  return PUBLISHED.filter((row) => row.kind === 'rate').map(({ source, variant, smap, mpps, setup }) => ({
    source,
    accessor: VARIANTS[variant].accessor,
    variant,
    setup: SETUPS[setup].name,
    profile: setup,
    smap: smap ? 'on' : 'off',
    mpps,
  }))
}

/** What every published rate was measured under: a split ring, 64-byte frames into xdp1, rings of 256, batches of 64. */
const PUBLISHED_CONDITIONS = /\/split\/[^/]+\/xdp1\/64B\/q256\/b64$/

/** The rate that V4 or its thread published of what a cell does: same accessor, same options, same conditions. */
export function publishedFor(
  rows: readonly PublishedRow[],
  { id, accessor, options }: Pick<CellResult, 'id' | 'accessor' | 'options'>,
  smap: 'off' | 'on',
): PublishedRow | undefined {
  const isThis = (variant: string): boolean => {
    const run = VARIANTS[variant as Variant]
    return run?.accessor === accessor && Object.entries(run.options).every(([name, value]) => options[name] === value)
  }
  if (!PUBLISHED_CONDITIONS.test(id)) return undefined
  return rows.find((row) => row.smap === smap && row.profile === DEFAULT_SETUP && isThis(row.variant ?? ''))
}

/**
 * What became of the published claims.
 *
 * @param measured gains by the key of the claims about them; those without are not tested
 */
export function judgedClaims({ steps }: Model, measured: Readonly<Record<string, number>> = {}): ClaimResult[] {
  return evaluateClaims({ rows: PUBLISHED, steps, measured }, CLAIMS).map(toClaimResult)
}

/**
 * Results whose claims about measured gains are judged by the cells that they have now. Those of one part of a run may
 * have been "not tested" for want of the others.
 */
export function withMeasuredClaims(results: Results): Results {
  const measurable = CLAIMS.filter(({ subject }) => subject.kind === 'measured')
  const evidence = { rows: PUBLISHED, steps: REFERENCE_STEPS }
  const judged = evaluateClaims({ ...evidence, measured: measuredGains(results) }, measurable).map(toClaimResult)
  return { ...results, claims: results.claims.map((claim) => judged.find(({ id }) => id === claim.id) ?? claim) }
}

/** A claim of the model as `results.json` has it. */
function toClaimResult({
  id,
  text,
  source,
  published,
  tolerance,
  modelled,
  measured,
  verdict,
  reason,
  missing,
  leftOut,
}: ModelClaim): ClaimResult {
  const known = missing === null ? {} : { missing }
  const without = leftOut.length === 0 ? {} : { leftOut: [...leftOut] }
  return { id, text, source, published, modelled, measured, verdict, tolerance, reason, ...known, ...without }
}

/** Trials of a cell that claims are judged by: those of a full run. Fewer, as those of a smoke run, say little of a rate. */
const TRIALS_MIN = 10

/**
 * Gains that a run measured, by the key of the claims about them. TX batching is a run with `--sweep batch=1,64`: full
 * batches against single packets, of the accessor that the kernel had then, everything else the same.
 */
function measuredGains({ cells }: Results): Record<string, number> {
  const copies = cells.filter(
    ({ accessor, measured }) => accessor === 'copy-checked' && (measured?.trials.length ?? 0) >= TRIALS_MIN,
  )
  for (const single of copies.filter(({ batch }) => batch === 1)) {
    const full = copies.find(({ batch, id }) => batch === 64 && withoutBatch(id) === withoutBatch(single.id))
    if (full !== undefined) return { 'tx-batching': full.measured!.mpps.median / single.measured!.mpps.median - 1 }
  }
  return {}
}

/** A cell's id but for `/b64`. */
function withoutBatch(id: string): string {
  return id.replace(/\/b\d+(?=\/|$)/, '')
}
