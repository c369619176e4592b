import { resolve } from 'node:path'
import type { Registry } from '@vring/registry'
import { type Arguments, oneOf } from '../arguments.ts'
import { usageError } from '../bench-error.ts'
import {
  BASELINE,
  type CellSpec,
  chainCount,
  DEFAULT_CELL,
  DRIVERS,
  type DriverName,
  groupKey,
  makeCell,
  parseAccessorChoice,
  RINGS,
  SWEEP_KEYS,
  type SweepKey,
  UNSWEPT,
} from '../cell-spec.ts'
import { BASELINE_BACKENDS } from '../cells/baseline.ts'
import { checkDevices } from '../check-devices.ts'
import { EXIT_DISAGREE, EXIT_INTERNAL, EXIT_OK } from '../exit-codes.ts'
import { FRAME_BYTES_MIN } from '../frames.ts'
import { readInput } from '../input/recorded-input.ts'
import { loadRegistry } from '../load-registry.ts'
import { createModel, withModel } from '../model-results.ts'
import { checkWritable, STDOUT, toJson, writeOutput } from '../output.ts'
import { PEERS } from '../peers/peer-names.ts'
import { reportHtml } from '../report/report-html.ts'
import { runExperiment } from '../run/experiment.ts'
import { printResults } from '../run/print-results.ts'
import type { BenchCommand } from './command.ts'
import { jsonArg, pluginArg } from './shared-args.ts'

/** Exit code of a run that Ctrl-C ended: 128 and the signal's number. */
const EXIT_INTERRUPTED = 130

/** Where a full run leaves its results when it is not told. */
const DEFAULT_JSON = 'bench-out/results.json'
const DEFAULT_HTML = 'bench-out/report.html'

/** What the thread of January 2019 measured, where it is not an accessor's default: V4 held the queue's mutex. */
const SEED_OPTIONS: Readonly<Record<string, Record<string, string>>> = {
  'vmap-direct': { mapping: 'vmap', sync: 'mutex' },
}

/** `vring-bench run`: one cell for each combination, each in its own process. */
export const run: BenchCommand = {
  description: 'Measure one cell for each combination, each in its own process',
  args: {
    accessor: {
      type: 'string',
      description: 'accessors, with options as name:option=value; baseline is the floor',
      valueHint: 'a,b',
    },
    ring: { type: 'string', description: `ring formats: ${RINGS.join(', ')}`, valueHint: 'split' },
    driver: { type: 'string', description: `drivers: ${DRIVERS.join(', ')}`, valueHint: 'inproc' },
    backend: { type: 'string', description: 'backends; see plugins', valueHint: 'drop,xdp1' },
    'frame-bytes': { type: 'string', description: 'Ethernet frame in bytes, or imix; default 64', valueHint: '64' },
    input: {
      type: 'string',
      description: 'send the frames of a pcapng or pcap file, in turn, instead of made ones',
      valueHint: 'FILE',
    },
    smap: {
      type: 'string',
      description: 'SMAP states to model: off,on (user-mode JavaScript can measure neither)',
      valueHint: 'off,on',
    },
    trials: { type: 'string', description: 'trials a cell; default 10', valueHint: 'N' },
    'duration-ms': { type: 'string', description: 'length of a trial; default 300', valueHint: 'N' },
    sweep: { type: 'string', description: `vary a key: ${Object.keys(SWEEP_KEYS).join(', ')}`, valueHint: 'KEY=a,b,c' },
    shard: { type: 'string', description: 'run part i of n of the cells; put together with merge', valueHint: 'i/n' },
    peer: {
      type: 'string',
      description: 'measure peers in the same run: dpdk (with --driver testpmd), io-uring (with --backend tap)',
      valueHint: 'dpdk,io-uring',
    },
    seed: { type: 'string', description: 'seed of frames, order and intervals; default 1', valueHint: 'N' },
    smoke: { type: 'boolean', description: 'few short trials, done within 10 s: checks results, not speed' },
    html: { type: 'string', description: 'write the report there', valueHint: 'FILE' },
    ...pluginArg,
    ...jsonArg,
  },
  async run(args, rawArgs) {
    const smoke = args.flag('smoke')
    const plugins = args.all('plugin')
    const registry = await loadRegistry(plugins)
    const shard = readShard(args)
    const specs = shardOf(planCells(args, registry), shard)
    const json = args.text('json') ?? (smoke ? null : DEFAULT_JSON)
    const html = args.text('html') ?? (smoke || args.text('json') !== null ? null : DEFAULT_HTML)
    if (json !== null) checkWritable('--json', json)
    if (html !== null) checkWritable('--html', html)
    const peers = each(args, 'peer', PEERS) ?? []
    checkDevices(specs, peers)
    const seed = args.integer('seed', 0, 2 ** 32 - 1, 1)
    const smap = each(args, 'smap', ['off', 'on']) ?? ['off', 'on']
    const experiment = await runExperiment(specs, {
      command: rawArgs,
      seed,
      trials: args.integer('trials', 1, 1000, smoke ? 3 : 10),
      durationMs: args.integer('duration-ms', 1, 600_000, smoke ? 40 : 300),
      plugins,
      quick: smoke,
      shard: shard === null ? null : `${shard.part}/${shard.of}`,
      noiseFloor: !smoke,
      peers,
    })
    const { disagreements, failedPeers, interrupted } = experiment
    const results = withModel(experiment.results, createModel(registry, seed), smap)
    if (json !== null) writeOutput('--json', json, toJson(results))
    if (html !== null) writeOutput('--html', html, reportHtml(results))
    if (json !== STDOUT) writeOutput('', STDOUT, printResults(results))
    for (const line of disagreements) process.stderr.write(`vring-bench: results disagree: ${line}\n`)
    for (const line of failedPeers) process.stderr.write(`vring-bench: ${line}\n`)
    if (interrupted) return EXIT_INTERRUPTED
    if (failedPeers.length > 0) return EXIT_INTERNAL
    // One that is known to fail says what is missing, every time; it is no news.
    const claimFailed = results.claims.some(({ verdict, missing }) => verdict === 'not reproduced' && !missing)
    return disagreements.length > 0 || claimFailed ? EXIT_DISAGREE : EXIT_OK
  },
}

/** `--shard 2/4`. */
function readShard(args: Arguments): { part: number; of: number } | null {
  const text = args.text('shard')
  if (text === null) return null
  const [part = 0, of = 0] = /^\d+\/\d+$/.test(text) ? text.split('/').map(Number) : []
  if (part < 1 || of < 1 || part > of)
    throw usageError('--shard', `${JSON.stringify(text)} is not accepted; accepted: i/n with i from 1 to n`)
  return { part, of }
}

/** Whole groups, dealt out in turn: cells that are compared stay on one machine. */
function shardOf(specs: CellSpec[], shard: { part: number; of: number } | null): CellSpec[] {
  if (shard === null) return specs
  const groups = [...new Set(specs.map(groupKey))]
  const mine = new Set(groups.filter((_, index) => index % shard.of === shard.part - 1))
  return specs.filter((spec) => mine.has(groupKey(spec)))
}

/** One cell for each combination of what the arguments list. */
function planCells(args: Arguments, registry: Registry): CellSpec[] {
  const drivers = each(args, 'driver', DRIVERS) ?? [DEFAULT_CELL.driver]
  const rings = each(args, 'ring', RINGS) ?? [DEFAULT_CELL.ring]
  const backends = args.list('backend') ?? [DEFAULT_CELL.backend]
  for (const backend of backends)
    oneOf(
      '--backend',
      backend,
      registry.backends.map(({ name }) => name),
    )
  const input = inputOf(args, drivers)
  const frames = input === null ? frameBytes(args) : [input.meanBytes]
  const sweep = readSweep(args)
  const choices = accessorChoices(args, registry, backends, drivers)
  const specs: CellSpec[] = []
  for (const varied of sweep)
    for (const ring of rings)
      for (const driver of drivers)
        for (const backend of backends)
          for (const frame of frames)
            for (const choice of choices) {
              const plugin = choice.name === BASELINE ? null : registry.accessor(choice.name)
              specs.push(
                makeCell(choice, plugin, {
                  ring,
                  driver,
                  backend,
                  frameBytes: frame,
                  input: input?.path ?? null,
                  ...varied,
                }),
              )
            }
  for (const spec of specs) checkCell(spec)
  checkDuplicates(specs)
  return specs
}

/** Two cells of one id, or of one accessor whose options come to the same: the list has one of them in two spellings. */
function checkDuplicates(specs: readonly CellSpec[]): void {
  const seen = new Map<string, string>()
  for (const spec of specs) {
    const options = Object.entries(spec.options).sort(([a], [b]) => (a < b ? -1 : 1))
    const what = JSON.stringify([spec.accessor, options, groupKey(spec)])
    const earlier = seen.get(what)
    if (earlier !== undefined) {
      const both = earlier === spec.id ? `${spec.id} is there twice` : `${spec.id} is what ${earlier} is`
      throw usageError('cells', `${both}; each cell runs once`)
    }
    seen.set(what, spec.id)
  }
}

function accessorChoices(
  args: Arguments,
  registry: Registry,
  backends: readonly string[],
  drivers: readonly DriverName[],
) {
  const texts = args.list('accessor')
  if (texts !== null) return texts.map((text) => parseAccessorChoice(text, registry, [BASELINE]))
  // Preference is fastest first; a table reads better from what everybody knows to what was proposed.
  const served = registry.accessors.filter(({ supports }) => supports.noIotlb || !drivers.includes('testpmd'))
  const all = served.map(({ name }) => ({ name, options: SEED_OPTIONS[name] ?? {} })).reverse()
  const floor =
    args.text('sweep') === null &&
    args.text('input') === null &&
    drivers.every((driver) => driver === 'inproc') &&
    backends.every((backend) => BASELINE_BACKENDS.includes(backend))
  return floor ? [...all, { name: BASELINE, options: {} }] : all
}

/** The items of a list argument, each one of `names`; null when it was not given. */
function each<T extends string>(args: Arguments, name: string, names: readonly T[]): readonly T[] | null {
  return args.list(name)?.map((item) => oneOf(`--${name}`, item, names)) ?? null
}

function frameBytes(args: Arguments): readonly number[] {
  const texts = args.list('frame-bytes')
  if (texts === null) return [DEFAULT_CELL.frameBytes]
  const { least, most } = SWEEP_KEYS['frame-bytes']
  return texts.map((text) => {
    if (text === 'imix') return 0
    const bytes = Number(text)
    if (!/^\d+$/.test(text) || bytes < least || bytes > most)
      throw usageError(
        '--frame-bytes',
        `${JSON.stringify(text)} is not accepted; accepted: ${FRAME_BYTES_MIN} to ${most} bytes, or imix`,
      )
    return bytes
  })
}

/** `--input FILE`: where it is, and how long its frames are in the mean. */
function inputOf(args: Arguments, drivers: readonly DriverName[]): { path: string; meanBytes: number } | null {
  const text = args.text('input')
  if (text === null) return null
  if (args.text('frame-bytes') !== null)
    throw usageError('--input', 'frames have their lengths; leave --frame-bytes out')
  if (drivers.includes('testpmd'))
    throw usageError('--input', 'testpmd makes its own frames; accepted: --driver inproc or --driver inproc-threads')
  for (const sweep of args.all('sweep'))
    if (/^(frame-bytes|chain-length|indirect)=/.test(sweep))
      throw usageError('--input', `recorded frames are one descriptor each; leave --sweep ${sweep} out`)
  const path = resolve(text)
  return { path, meanBytes: Math.round(readInput(path).meanBytes * 100) / 100 }
}

/** `--sweep queue-size=256,1024`: what each step of it changes. */
function readSweep(args: Arguments): Partial<CellSpec>[] {
  const texts = args.all('sweep')
  if (texts.length === 0) return [{}]
  let steps: Partial<CellSpec>[] = [{}]
  const seen = new Set<SweepKey>()
  for (const text of texts) {
    const [key = '', values] = text.split('=', 2)
    const known = oneOf('--sweep', key, Object.keys(SWEEP_KEYS) as SweepKey[])
    if (seen.has(known)) throw usageError('--sweep', `${known} is swept twice; each cell runs once`)
    seen.add(known)
    const { field, least, most } = SWEEP_KEYS[known]
    const numbers = (values ?? '').split(',').map((value) => {
      const number = Number(value)
      if (!/^\d+$/.test(value) || number < least || number > most)
        throw usageError(
          '--sweep',
          `${known}=${JSON.stringify(value)} is not accepted; accepted: integers from ${least} to ${most}${known === 'frame-bytes' ? '; for the mix: --frame-bytes imix' : ''}`,
        )
      return number
    })
    if (new Set(numbers).size !== numbers.length)
      throw usageError('--sweep', `${text} lists a value twice; each cell runs once`)
    steps = steps.flatMap((step) =>
      numbers.map((value) => ({ ...step, [field]: field === 'indirect' ? value === 1 : value })),
    )
  }
  const swept = [...seen]
  return steps.map((step) => ({ ...step, swept }))
}

/** Refuses combinations that no ring can have. */
function checkCell(spec: CellSpec): void {
  const unswept = UNSWEPT[spec.driver]
  const idle = spec.swept.find((key) => unswept.includes(key))
  if (idle !== undefined) {
    const accepted = Object.keys(SWEEP_KEYS).filter((key) => !unswept.includes(key as SweepKey))
    throw usageError(
      '--sweep',
      `${idle} changes nothing for the driver ${spec.driver}; accepted: ${accepted.join(', ')}`,
    )
  }
  const { id, queueSize, batch, chainLength, indirect } = spec
  if ((queueSize & (queueSize - 1)) !== 0)
    throw usageError('--sweep', `queue-size=${queueSize} is not accepted; accepted: a power of two from 2 to 32768`)
  const chains = chainCount(spec)
  if (chains < 1 || (!indirect && chainLength > queueSize))
    throw usageError('--sweep', `${id}: a chain of ${chainLength} does not fit a ring of ${queueSize}`)
  if (batch > chains)
    throw usageError('--sweep', `${id}: a batch of ${batch} does not fit the ${chains} chains of its ring`)
}
