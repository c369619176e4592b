/** `npm run fuzz -- TARGET --time 1h`: fuzzes a target, keeps what it finds in the corpus, and prints what it did. */
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { nearestName } from '@vring/registry'
import { repositoryRoot } from '../scripts/workspace.ts'
import { parseDuration } from './duration.ts'
import { nameOf, readCorpus, replaceCorpus, writeInput } from './engine/corpus.ts'
import { runTarget } from './engine/run-target.ts'
import { keepFigures, type TargetFigures } from './figures.ts'
import { TARGETS } from './targets.ts'

const USAGE = `npm run fuzz -- [TARGET ...] [--time 10s] [--seed N] [--dry] [--figures]

targets: ${TARGETS.join(', ')}; all without one, the time is that of each
--time   how long, as in 5s, 10m, 1h; default 10s
--seed   of the first target's changes; default: the clock's
--dry    leave the corpus as it is
--figures keep what each target did in figures.json, for the table of the README
--reduce after it, leave only inputs that pass an edge as no shorter one does`

/** @returns the exit code: 0, 1 for a failure, 2 for arguments */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      time: { type: 'string', default: '10s' },
      seed: { type: 'string' },
      dry: { type: 'boolean', default: false },
      figures: { type: 'boolean', default: false },
      reduce: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  for (const name of positionals)
    if (!(TARGETS as readonly string[]).includes(name)) {
      const near = nearestName(name, TARGETS)
      throw new Error(
        `no target ${name}; accepted: ${TARGETS.join(', ')}${near === null ? '' : `; did you mean ${near}?`}`,
      )
    }
  const timeMs = parseDuration(values.time)
  const seed = values.seed === undefined ? Date.now() >>> 0 : Number(values.seed)
  if (!(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32))
    throw new Error(`--seed is ${values.seed}; accepted: 0 to 2^32 - 1`)
  let failed = false
  for (const name of positionals.length > 0 ? positionals : TARGETS) {
    const figures = await fuzzOne(name, timeMs, seed, values.dry)
    if (figures === null) {
      failed = true
      continue
    }
    if (values.reduce) await reduce(name, seed)
    const command = `npm run fuzz -- --time ${values.time} --seed ${seed}`
    if (values.figures) keepFigures({ command, targets: { [name]: figures } })
  }
  return failed ? 1 : 0
}

/** Runs the corpus alone, the shortest inputs first, and keeps those that passed an edge as none before. */
async function reduce(name: string, seed: number): Promise<void> {
  const folder = join(repositoryRoot, 'fuzz/corpus', name)
  const corpus = readCorpus(folder)
  const run = await runTarget(name, { seed, timeMs: 0, corpus })
  const kept = new Set(run.corpus.map(nameOf))
  replaceCorpus(
    folder,
    corpus.filter((input) => kept.has(nameOf(input))),
  )
}

/** What it did; null: something failed. */
async function fuzzOne(name: string, timeMs: number, seed: number, dry: boolean): Promise<TargetFigures | null> {
  const folder = join(repositoryRoot, 'fuzz/corpus', name)
  const started = performance.now()
  let shown = started
  const run = await runTarget(name, {
    seed,
    timeMs,
    corpus: readCorpus(folder),
    onFresh: (input, executions, edges) => {
      if (!dry) writeInput(folder, input)
      if (performance.now() - shown < 10_000) return
      shown = performance.now()
      console.log(`${name}: ${executions} executions, ${edges} edges`)
    },
  })
  const seconds = (performance.now() - started) / 1000
  console.log(
    `${name}: ${run.executions} executions, ${run.operations} ${run.unit}, ${run.edges} edges, ` +
      `${run.corpus.length} inputs, seed ${seed}, ${seconds.toFixed(1)} s`,
  )
  const { executions, operations, edges, corpus } = run
  if (run.failure === null) return { executions, operations, edges, inputs: corpus.length }
  const file = writeInput(join(repositoryRoot, 'fuzz/failures', name), run.failure.input)
  console.log(
    `${name} FAILED: ${run.failure.text}\n  input (${run.failure.input.length} bytes): ${relative(process.cwd(), file)}`,
  )
  return null
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`fuzz: ${error instanceof Error ? error.message : error}\n${USAGE}`)
  process.exitCode = 2
}
