import type { SpeculationFinding } from './path-search.ts'
import type { SpeculationReport } from './speculate.ts'
import type { LeakKind } from './speculating-cpu.ts'
import type { UnseenGuard } from './window-probe.ts'

const MEANING: Readonly<Record<LeakKind, string>> = {
  'left-mapping': 'loads outside the direct mapping: other kernel memory, at an index the driver chose',
  'left-user-space': 'loads at a kernel address that the limit check would have refused',
  'left-translation': 'loads bytes that no translation of this path covers',
  'left-view': 'loads outside a view of its own: other kernel memory',
  'secret-reached-address': 'what is not its own decides where the next access goes: a cache can be read out',
  'secret-reached-branch':
    'what is not its own decides a branch: a predictor or a cache of instructions can be read out',
}

const UNSEEN: Readonly<Record<UnseenGuard['kind'], string>> = {
  offset: 'keeps offsets in its area by what the port does not see (a plain if?)',
  value: 'decides by a value that it loaded, by what the port does not see (a plain if?)',
  idle: 'did nothing: what was run shows nothing',
}

/** Reports as lines for people, one after the other; what they can not say, which is the same of all, once at the end. */
export function formatSpeculation(...reports: readonly SpeculationReport[]): string {
  const limits = new Set(reports.flatMap((report) => report.limits))
  const last = ['what this can not say:', ...[...limits].map((limit) => `  - ${limit}`)].join('\n')
  return [...reports.map(formatReport), last].join('\n\n')
}

function formatReport(report: SpeculationReport): string {
  const options = Object.entries(report.options).map(([name, value]) => ` ${name}=${value}`)
  const lines = [
    `${report.accessor}${options.join('')}${report.nospec === 'none' ? ' on the ring of 2019' : ''}: ` +
      (report.verdict === 'not-shown' ? 'not shown' : report.verdict),
    `  ${report.paths} paths, ${report.mispredictedPaths} mispredicted, up to ${report.depth} branches each, ` +
      `${report.window} accesses deep; ${report.strayUserLoads} stray loads of user memory`,
  ]
  for (const finding of report.findings) lines.push(...formatFinding(finding))
  for (const { kind, window, access, detail } of report.unseen)
    lines.push(`  not shown: ${window}.${access} ${UNSEEN[kind]}`, `    ${detail}`)
  return lines.join('\n')
}

function formatFinding({ kind, ring, branches, detail }: SpeculationFinding): string[] {
  return [
    `  ${kind}: ${MEANING[kind]}`,
    `    ring: ${ring}; mispredicted: ${branches.join(', then ')}`,
    `    ${detail}`,
  ]
}
