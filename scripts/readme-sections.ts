import { MUTANTS } from '@vring/conformance'
import {
  claimText,
  leaveOneOut,
  maskedByDifference,
  PUBLISHED,
  predict,
  residuals,
  smapShares,
} from '@vring/cost-model'
import { hasOutcome, LITMUS_TESTS, litmusOutcomes, parseLitmus } from '@vring/explorer'
import { createRegistry } from '@vring/registry'
import { KOCHER_PATTERNS, PROTECTIONS, programOf, SPECULATION_LIMITS, speculateProgram } from '@vring/speculation'
import { createModel, judgedClaims } from '../apps/bench/src/results/model-results.ts'
import { type FaultCase, readFaults } from '../faults/faults.ts'
import type { FuzzTarget } from '../fuzz/engine/target.ts'
import { readFigures, readTargets } from '../fuzz/figures.ts'
import { LAYERS } from './layers.ts'
import type { WorkspacePackage } from './workspace.ts'

/** The generated parts of a README, by the name in their markers. */
export type Sections = Readonly<Record<string, string>>

/** Every README with generated parts, by its path from the root. */
export async function generatedReadmes(packages: readonly WorkspacePackage[]): Promise<ReadonlyMap<string, Sections>> {
  return new Map([
    ['docs/figures.md', { claims: claimsSection() }],
    ['docs/packages.md', { packages: packagesSection(packages) }],
    ['packages/conformance/README.md', { mistakes: mistakesSection() }],
    ['packages/explorer/README.md', { litmus: litmusSection() }],
    ['fuzz/README.md', { targets: fuzzSection(await readTargets()) }],
    ['faults/README.md', { faults: faultsSection(await readFaults()) }],
    ['packages/speculation/README.md', { patterns: patternsSection(), limits: limitsSection() }],
  ])
}

/**
 * Puts sections between their markers: `<!-- NAME: ... -->` and `<!-- /NAME -->`, each on a line of its own.
 *
 * @throws Error when a marker is missing
 */
export function replaceSections(markdown: string, sections: Sections): string {
  return Object.entries(sections).reduce((text, [name, section]) => {
    const pattern = new RegExp(`(<!-- ${name}: [^\\n]*-->\\n)[\\s\\S]*?(<!-- /${name} -->)`)
    if (!pattern.test(text)) throw new Error(`the document has no markers for ${name}`)
    return text.replace(pattern, (_, begin: string, end: string) => `${begin}\n${section}\n\n${end}`)
  }, markdown)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** As `vring-bench model` says it, with its seed. */
function claimsSection(): string {
  const model = createModel(createRegistry(), 1)
  const { steps, fit } = model
  const claims = judgedClaims(model).map((claim) => {
    const modelled = claim.modelled === null ? '–' : claimText(claim, claim.modelled)
    const { verdict: word, reason = '' } = claim
    const verdict = word === 'reproduced' ? word : reason.startsWith('cannot be tested') ? reason : `${word}: ${reason}`
    const published = claim.published === null ? '–' : claimText(claim, claim.published)
    return [claim.text, claim.source ?? '–', published, modelled, verdict]
  })
  const worst = (errors: readonly number[]): string => (100 * Math.max(...errors.map(Math.abs))).toFixed(1)
  const fittedRows = residuals(fit, PUBLISHED, steps).filter(({ heldOut }) => !heldOut)
  const left = leaveOneOut(PUBLISHED, steps).filter(
    ({ row, determined }) => determined && !(row.kind === 'gain' && row.transfer),
  )
  const masked = predict(fit.profiles.get('v4')!, steps['nospec-masked'], true).mpps
  const interval = fit.rateInterval('v4', 'nospec-masked', true)!
  const { savedNs, share } = smapShares().find(({ setup }) => setup === 'v4')!
  return [
    table(['claim', 'source', 'published', 'modelled', 'verdict'], claims),
    '',
    `Each modelled gain is predicted without the rows that it is about. The model has ${fit.parameters.length} parameters for ` +
      `${fittedRows.length} published rows and meets them within ${worst(fittedRows.map(({ error }) => error))} %; a row that is ` +
      `left out, within ${worst(left.map(({ error }) => error))} %, where the others settle it (${left.length} do). The ` +
      `unpublished cell, nospec-masked with SMAP on, it puts at ${masked.toFixed(1)} Mpps (95 %: ${interval.low.toFixed(1)} to ` +
      `${interval.high.toFixed(1)}); differences of the published cells say ${maskedByDifference().toFixed(2)}. Of the ` +
      `${savedNs.toFixed(0)} ns that V4's vmap saves a packet with SMAP on, SMAP makes ${(100 * share).toFixed(0)} %, and the rest, ` +
      `${(100 * (1 - share)).toFixed(0)} %, it saves without SMAP as well.`,
  ].join('\n')
}

/** Each mutant of the accessor kit, and the case that has to find it; tests of the accessors hold the kit to it. */
function mistakesSection(): string {
  return [
    `${MUTANTS.length} mistakes, each put into every accessor that ships where it can be made, and each found by the case beside it:`,
    `\`npx vitest run packages/conformance packages/accessor-*\`.`,
    '',
    table(
      ['mistake', 'what is wrong', 'found by'],
      MUTANTS.map(({ name, flaw, killedBy }) => [name, flaw, killedBy]),
    ),
  ].join('\n')
}

/** Each litmus test as the explorer answers it now, beside the answer of the literature. */
function litmusSection(): string {
  const word = (allowed: boolean): string => (allowed ? 'allowed' : 'forbidden')
  const rows = LITMUS_TESTS.map(({ name, program: text, asked, tso, lkmm, difference }) => {
    const program = parseLitmus(text)
    const found = (['tso', 'weak'] as const).map((model) => word(hasOutcome(litmusOutcomes(program, model), asked)))
    const end = Object.entries(asked).map(([variable, value]) => `${variable}=${value}`)
    return [
      name,
      `\`${text.replaceAll('||', '\\|\\|')}\``,
      `\`${end.join(' ')}\``,
      found[0]!,
      word(tso),
      found[1]!,
      word(lkmm) + (difference === null ? '' : `; \`weak\` is ${difference}`),
    ]
  })
  return table(['test', 'threads', 'may end with', '`tso`', 'x86-TSO', '`weak`', 'Linux memory model'], rows)
}

/** Kocher's victims as the checker judges them now. */
function patternsSection(): string {
  const rows = KOCHER_PATTERNS.map((pattern) => [
    String(pattern.number),
    pattern.title,
    ...PROTECTIONS.map((protection) => {
      const kinds = new Set(speculateProgram(programOf(pattern, protection)).map(({ kind }) => kind))
      return kinds.size === 0 ? 'clear' : [...kinds].join(', ')
    }),
  ])
  return table(['pattern', 'what is particular about it', ...PROTECTIONS], rows)
}

/** Each fault with where it would be here, what its test says, and the changes that put it back. */
function faultsSection(faults: readonly FaultCase[]): string {
  const rows = faults.map(({ module, fault }) => [
    fault.id,
    `${fault.system}: ${fault.fault}`,
    `[${fault.here}](../${fault.here})`,
    `[${module}](cases/${module}.ts): ${fault.holds}${fault.notHere === null ? '' : `. It can't occur: ${fault.notHere}`}`,
    fault.mutants.map(({ change, race }) => (race ? `${change} (in a schedule too)` : change)).join('; '),
    typeof fault.explored === 'string'
      ? `one thread: ${fault.explored}`
      : `\`vring-bench explore --entry ${fault.id}\``,
  ])
  return table(
    ['fault', 'what it was', 'where it would be', 'test: what holds', 'mutants, each found by it', 'schedules'],
    rows,
  )
}

/** Each fuzz target with what its last kept run did. */
function fuzzSection(targets: readonly FuzzTarget[]): string {
  const { targets: kept } = readFigures()
  const rows = targets.map(({ name, description, unit }) => {
    const figures = kept[name]
    if (figures === undefined) throw new Error(`fuzz/figures.json has no ${name}; npm run fuzz -- ${name} --figures`)
    const { executions, operations, edges, inputs } = figures
    const counted = (value: number): string => value.toLocaleString('en-US')
    return [
      `\`${name}\``,
      description,
      counted(executions),
      `${counted(operations)} ${unit}`,
      String(edges),
      String(inputs),
    ]
  })
  return table(['target', 'what must hold', 'executions', 'operations', 'edges', 'inputs kept'], rows)
}

function limitsSection(): string {
  return SPECULATION_LIMITS.map((limit) => `- ${limit}`).join('\n')
}

/** Packages from the top layer down; `linux` and the tools, which stand beside the layers, last. */
function packagesSection(packages: readonly WorkspacePackage[]): string {
  const height = ({ folder }: WorkspacePackage): number => {
    const name = folder.replace(/^packages\//, '')
    return LAYERS.findIndex((layer) =>
      layer.some((pattern) => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern)),
    )
  }
  const rows = [...packages]
    .sort((left, right) => height(right) - height(left) || left.folder.localeCompare(right.folder))
    .map(({ folder, manifest }) => [
      `[${folder.replace(/^packages\//, '')}](../${folder})`,
      (manifest.description ?? '') + (manifest.private === true ? ' Private.' : ''),
    ])
  return table(['package', 'what it is'], rows)
}
