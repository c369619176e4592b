import { resolve } from 'node:path'
import { listOf } from '../arguments.ts'
import { usageError } from '../bench-error.ts'
import { PATIENCE_MS } from '../cell/cell-process.ts'
import { DEFAULT_CELL, DRIVERS, RINGS } from '../cell/cell-spec.ts'
import { KIT_LIMIT_MS } from '../conformance/examine-plugin.ts'
import { judgeCells, withConformance } from '../conformance/judge-cells.ts'
import { withLines } from '../lines/lines-result.ts'
import { loadRegistry } from '../load-registry.ts'
import { PEERS } from '../peers/peer-names.ts'
import { readClasses } from '../placement/read-classes.ts'
import { readCores } from '../placement/read-cores.ts'
import { checkDevices } from '../plan/check-devices.ts'
import { planCells } from '../plan/plan-cells.ts'
import { readShard, shardOf } from '../plan/shard.ts'
import { SWEEP_KEYS } from '../plan/sweep-keys.ts'
import { reportHtml } from '../report/report-html.ts'
import { createModel, withModel } from '../results/model-results.ts'
import { runExperiment } from '../run/experiment.ts'
import { printResults } from '../run/print-results.ts'
import { runEnd } from '../run/run-end.ts'
import { readSliceTimes } from '../slices/slice-times.ts'
import { checkWritable, OUT_FOLDER, printText, STDOUT, toJson, writeEach, writeOutput } from '../terminal/output.ts'
import type { BenchCommand } from './command.ts'
import { classesArg, jsonArg, patienceArg, patienceOf, pluginArg } from './shared-args.ts'

/** Where a full run leaves its results when it is not told. */
const DEFAULT_JSON = `${OUT_FOLDER}/results.json`
const DEFAULT_HTML = `${OUT_FOLDER}/report.html`

/** `vring-bench run`: one cell for each combination, each in its own process. */
export const run: BenchCommand = {
  description: 'Measure one cell for each combination, each in its own process',
  args: {
    accessor: {
      type: 'string',
      description:
        'accessors, with options as name:option=value; see plugins; default: all that can serve, with baseline, the floor, where it can',
      valueHint: 'A,B',
    },
    ring: {
      type: 'string',
      description: `ring formats: ${RINGS.join(', ')}; default ${DEFAULT_CELL.ring}`,
      valueHint: 'A,B',
    },
    'in-order': { type: 'boolean', description: 'negotiate VIRTIO_F_IN_ORDER: one used element may stand for a batch' },
    driver: {
      type: 'string',
      description: `drivers: ${DRIVERS.join(', ')}; default ${DEFAULT_CELL.driver}`,
      valueHint: 'A,B',
    },
    backend: {
      type: 'string',
      description: `backends, or NAME:TEXT of a --plugin; see plugins; default ${DEFAULT_CELL.backend}`,
      valueHint: 'A,B',
    },
    'frame-bytes': { type: 'string', description: 'Ethernet frames in bytes, or imix; default 64', valueHint: 'A,B' },
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
    trials: {
      type: 'string',
      description: 'trials a cell, default 10; of a driver on a core of its own slices a class, default 20',
      valueHint: 'N',
    },
    'duration-ms': {
      type: 'string',
      description:
        'length of a trial, default 300; with a driver on a core of its own in slices of 50 to 200, default 100',
      valueHint: 'N',
    },
    patience: {
      type: 'string',
      description: 'how long to wait for classes that have not occurred, such as 90s or 5min; default 5min',
      valueHint: 'TIME',
    },
    cores: {
      type: 'string',
      description: 'CPU of the driver and CPU of the device; default: the first two; see cores',
      valueHint: 'A,B',
    },
    ...classesArg,
    ...patienceArg,
    sweep: { type: 'string', description: `vary a key: ${Object.keys(SWEEP_KEYS).join(', ')}`, valueHint: 'KEY=a,b,c' },
    shard: { type: 'string', description: 'run part i of n of the cells; put together with merge', valueHint: 'i/n' },
    peer: {
      type: 'string',
      description:
        'measure peers in the same run: dpdk (with --driver testpmd), io-uring and io-uring-fixed (with --backend tap)',
      valueHint: 'A,B',
    },
    seed: { type: 'string', description: 'seed of frames, order and intervals; default 1', valueHint: 'N' },
    smoke: { type: 'boolean', description: 'few short trials, done within 10 s: checks results, not speed' },
    html: {
      type: 'string',
      description: `write the report there; default ${DEFAULT_HTML}, unless --json or --smoke is given`,
      valueHint: 'FILE',
    },
    ...pluginArg,
    json: {
      ...jsonArg.json,
      description: `write JSON there; - is standard output; default ${DEFAULT_JSON}, unless --smoke is given`,
    },
  },
  async run(args, rawArgs) {
    const smoke = args.flag('smoke')
    const plugins = args.all('plugin')
    const registry = await loadRegistry(plugins)
    const shard = readShard(args)
    const planned = planCells(args, registry)
    const specs = shardOf(planned, shard)
    const json = args.text('json') ?? (smoke ? null : DEFAULT_JSON)
    const html = args.text('html') ?? (smoke || args.text('json') !== null ? null : DEFAULT_HTML)
    if (json !== null && html !== null && resolve(json) === resolve(html))
      throw usageError('--html', `${html} is where --json goes; accepted: another file`)
    if (json !== null) checkWritable('--json', json)
    if (html !== null) checkWritable('--html', html)
    const peers = listOf(args, 'peer', PEERS) ?? []
    // All parts of a run are accepted or none: a peer's cells may be in another one.
    checkDevices(planned, peers)
    const seed = args.integer('seed', 0, 2 ** 32 - 1, 1)
    const smap = listOf(args, 'smap', ['off', 'on'] as const) ?? ['off', 'on']
    const patienceMs = patienceOf(args, PATIENCE_MS)
    const verdicts = await judgeCells(specs, plugins, patienceOf(args, KIT_LIMIT_MS))
    const experiment = await runExperiment(specs, {
      command: rawArgs,
      seed,
      trials: args.integer('trials', 1, 1000, smoke ? 3 : 10),
      durationMs: args.integer('duration-ms', 1, 600_000, smoke ? 40 : 300),
      patienceMs,
      plugins,
      quick: smoke,
      shard: shard === null ? null : `${shard.part}/${shard.of}`,
      noiseFloor: !smoke,
      peers,
      cores: readCores(
        args,
        planned.some(({ driver }) => driver === 'testpmd'),
      ),
      bounds: readClasses(args),
      times: readSliceTimes(args, smoke),
    })
    const judged = withConformance(experiment.results, verdicts)
    const results = withModel(withLines(judged, specs, registry), createModel(registry, seed), smap)
    const refusals = writeEach([
      ...(json === null ? [] : [() => writeOutput('--json', json, toJson(results))]),
      ...(html === null ? [] : [() => writeOutput('--html', html, reportHtml(results))]),
      ...(json === STDOUT || html === STDOUT ? [] : [() => printText(printResults(results))]),
    ])
    const { exitCode, lines } = runEnd(experiment, results)
    for (const line of [...lines, ...refusals.map(({ message }) => message)])
      process.stderr.write(`vring-bench: ${line}\n`)
    return refusals[0]?.exitCode ?? exitCode
  },
}
