import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { parseResults } from '../src/results/parse-results.ts'
import { bundled } from './bundle.ts'
import { vringBench } from './cli.ts'

const fixture = (name: string): string => bundled(`fixtures/${name}.js`)
// Processes of their own: a busy machine takes its time.
vi.setConfig({ testTimeout: 120_000 })

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vring-bench-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('conformance', () => {
  it('names each plugin with its cases, those of one that dies by how it ended, and ends with 3', async () => {
    const plugins = ['own', 'dies'].flatMap((name) => ['--plugin', fixture(name)])
    const { code, stdout, stderr } = await vringBench(['conformance', ...plugins, '--json', '-'])
    expect([code, stderr]).toEqual([3, ''])
    const [own, dies] = JSON.parse(stdout).reports
    expect(own).toMatchObject({ plugin: 'own', kind: 'accessor' })
    expect(own.cases.length).toBeGreaterThan(50)
    expect(own.cases.filter(({ failure }: { failure: string | null }) => failure !== null)).toEqual([])
    expect(dies).toEqual({
      plugin: 'dies',
      kind: 'accessor',
      cases: [
        {
          suite: 'process',
          title: 'the kit comes to its end',
          failure: 'its process exited with code 7: no more memory',
        },
      ],
    })
  })
})

describe('a plugin that never returns', () => {
  it('is ended by a command that runs it, and named by where it stands', async () => {
    const { code, stderr } = await vringBench([
      ...['steps', '--plugin', fixture('hangs'), '--accessor', 'hangs', '--patience-ms', '8000'],
    ])
    expect(stderr).toMatch(
      /^vring-bench: --plugin: no answer within 8 s: it stands in \S*beginRound at .*; accepted: .*\n$/,
    )
    expect(code).toBe(2)
  })

  it('in its module is refused wherever it is loaded', async () => {
    const never = 'data:text/javascript,await new Promise(() => {})'
    const { code, stderr } = await vringBench(['plugins', '--plugin', never])
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/does not load: it awaits what nothing is left to settle\n$/),
    ])
  })
})

describe('a run with plugins', () => {
  it('marks the one that does not conform in every table, and compares with a built-in wherever it stands', async () => {
    const file = join(folder, 'results.json')
    const html = join(folder, 'report.html')
    const markdown = join(folder, 'report.md')
    const plugins = ['own', 'lies'].flatMap((name) => ['--plugin', fixture(name)])
    const { code, stdout, stderr } = await vringBench([
      ...['run', '--smoke', ...plugins, '--accessor', 'lies,own,vmap-direct', '--json', file, '--html', html],
    ])
    const { cells, comparisons } = parseResults(readFileSync(file, 'utf8'), file)
    const [lies, own, builtIn] = cells
    expect(lies!.conformance!.failed).toBeGreaterThan(0)
    expect(lies!.conformance!.causes[0]).toMatch(/^accessor lies: \w+/)
    expect(own!.conformance).toMatchObject({ failed: 0, causes: [] })
    expect(builtIn!.conformance).toBeUndefined()
    expect(new Set(comparisons!.map(({ before }) => before))).toEqual(new Set([builtIn!.id]))
    // Its used elements differ, too.
    expect(code).toBe(3)
    expect(stderr).toContain('does not conform: accessor lies: ')

    const marked = 'lies (does not conform)'
    // The cells and what they are compared with, each in a row of the terminal.
    expect(stdout.split('\n').filter((line) => line.startsWith('lies'))).toHaveLength(2)
    for (const line of stdout.split('\n')) if (line.startsWith('lies')) expect(line).toContain('(does not conform)')
    expect(stdout).not.toContain('own (does not conform)')

    await vringBench(['report', file, '--markdown', markdown])
    for (const text of [readFileSync(html, 'utf8'), readFileSync(markdown, 'utf8')]) {
      const rows = text.split(/<tr>|\n/).filter((line) => /^(<th[^>]*>|\| )lies/.test(line))
      expect(rows.length).toBeGreaterThan(3)
      for (const row of rows) expect(row).toContain(marked)
    }

    const compared = await vringBench(['compare', file, file])
    expect(compared.stdout).toMatch(/^lies\S* \(does not conform\)/m)
    const { stdout: json } = await vringBench(['compare', file, file, '--json', '-'])
    expect(JSON.parse(json).nonconforming).toEqual({ before: [lies!.id], after: [lies!.id] })
  })

  it('ends the kit that hangs in one, by its patience', async () => {
    const args = ['run', '--smoke', '--plugin', fixture('hangs'), '--accessor', 'hangs,copy-checked', '--json', '-']
    const { stdout, code } = await vringBench([...args, '--patience-ms', '10000'])
    const { cells } = parseResults(stdout, 'standard output')
    expect(cells[0]!.conformance!.causes).toEqual([
      expect.stringMatching(
        /^accessor hangs: process: the kit comes to its end: hung: no answer within 10 s; it stands in \S*beginRound at .*hangs/,
      ),
    ])
    expect(cells[1]!.measured!.trials.length).toBeGreaterThan(0)
    expect(code).toBe(0)
  })
})
