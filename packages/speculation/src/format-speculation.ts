import type { SpeculationFinding, SpeculationReport } from './speculate.ts'
import type { LeakKind } from './speculating-cpu.ts'

const MEANING: Readonly<Record<LeakKind, string>> = {
  'left-mapping': 'loads outside the direct mapping: other kernel memory, at an index the driver chose',
  'left-user-space': 'loads at a kernel address that the limit check would have refused',
  'left-translation': 'loads bytes that no translation of this path covers',
  'secret-reached-address': 'what was loaded out of bounds decides where the next access goes: a cache can be read out',
}

/** A report as lines for people. */
export function formatSpeculation(report: SpeculationReport): string {
  const options = Object.entries(report.options).map(([name, value]) => ` ${name}=${value}`)
  const lines = [
    `${report.accessor}${options.join('')}${report.nospec === 'none' ? ' on the ring of 2019' : ''}: ${report.verdict}`,
    `  ${report.paths} paths, ${report.mispredictedPaths} mispredicted, up to ${report.depth} branches each, ` +
      `${report.window} accesses deep; ${report.strayUserLoads} stray loads of user memory`,
  ]
  for (const finding of report.findings) lines.push(...formatFinding(finding))
  lines.push('  what this can not say:')
  for (const limit of report.limits) lines.push(`    - ${limit}`)
  return lines.join('\n')
}

function formatFinding({ kind, ring, branches, detail }: SpeculationFinding): string[] {
  return [
    `  ${kind}: ${MEANING[kind]}`,
    `    ring: ${ring}; mispredicted: ${branches.join(', then ')}`,
    `    ${detail}`,
  ]
}
