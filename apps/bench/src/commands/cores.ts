import type { OptionTable } from '@vring/cli'
import { type CoreMatrix, type CorePair, measureCores } from '../placement/core-matrix.ts'
import { readClasses } from '../placement/read-classes.ts'
import { colours } from '../terminal/colours.ts'
import { printText, toJson, writeOutput } from '../terminal/output.ts'
import { type Column, renderTable } from '../terminal/table.ts'
import type { BenchCommand } from './command.ts'
import { classesArg, jsonArg } from './shared-args.ts'

const args = {
  rounds: { type: 'string', description: 'measurements of each pair; default 5', valueHint: 'N' },
  ...classesArg,
  ...jsonArg,
} as const satisfies OptionTable

/** `vring-bench cores`: what a cache line costs between each two cores, and which two to use. */
export const cores: BenchCommand = {
  description: 'Round trip of a cache line between each two cores, and which two to use',
  args,
  async run(given) {
    const json = given.text('json')
    const matrix = await measureCores(given.integer('rounds', 1, 1000, 5), readClasses(given))
    if (json !== null) writeOutput('--json', json, toJson(matrix))
    else printText(coresText(matrix))
    return 0
  },
}

/** The matrix for a terminal, and what follows from it. */
export function coresText(matrix: CoreMatrix): string {
  const { cpus, pairs, rounds, method, bounds } = matrix
  const columns: Column[] = [{ title: 'CPU' }, ...cpus.map((cpu): Column => ({ title: String(cpu), align: 'right' }))]
  const rows = cpus.map((cpu) => [String(cpu), ...cpus.map((other) => (cpu === other ? '' : cell(pairs, cpu, other)))])
  return [
    `Round trip of a cache line, ns: median of ${rounds}, by ${method ?? 'nothing'}${matrix.fifo ? ' under SCHED_FIFO' : ''}.`,
    renderTable(columns, rows, colours.bold),
    `near: below ${bounds.nearNs} ns; between: to ${bounds.farNs} ns; far: from there on (--classes).`,
    ...advice(matrix),
  ].join('\n')
}

function cell(pairs: readonly CorePair[], cpu: number, other: number): string {
  const pair = pairs.find(({ cpus }) => cpus.includes(cpu) && cpus.includes(other))
  return pair?.ns == null ? '–' : pair.ns.median.toFixed(0)
}

function advice({ use, pairs, fifo, moved, atBound }: CoreMatrix): string[] {
  const lines: string[] = []
  if (use === null) lines.push(colours.yellow(`no pair could be measured: ${pairs[0]?.reason ?? 'there is none'}`))
  else {
    const [driver, device] = use.cpus
    const { median, low, high } = use.ns!
    const range = `${median.toFixed(0)} ns [${low.toFixed(0)}, ${high.toFixed(0)}]`
    lines.push(
      colours.green(`Use CPU ${driver} and CPU ${device} (--cores ${driver},${device}): ${use.class}, ${range}.`),
    )
    if (use.siblings) lines.push('They are two threads of one core: each takes from the other just by running.')
    if (!fifo)
      lines.push(
        colours.yellow('no CAP_SYS_NICE (run as root): both ends ran at normal priority, beside other programs'),
      )
  }
  if (moved)
    lines.push(
      colours.yellow('a pair changed meanwhile: a hypervisor moves these CPUs, so compare slices of one class only'),
    )
  if (atBound > 0)
    lines.push(colours.yellow(`${atBound} of ${pairs.length} at the bound of a class: choose others with --classes`))
  return lines
}
