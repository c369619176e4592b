import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createRegistry } from '@vring/registry'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { CellFailure } from '../src/cell/cell-failure.ts'
import { CellProcess } from '../src/cell/cell-process.ts'
import { makeCell } from '../src/cell/cell-spec.ts'
import { main } from '../src/main.ts'
import { parseResults } from '../src/results/parse-results.ts'
import type { CellResult } from '../src/results/results.ts'
import { bundled } from './bundle.ts'
import { type CliResult, vringBench } from './cli.ts'

const fixture = (name: string): string => bundled(`fixtures/${name}`)
/** Six frames, recorded from a veth pair: see the folder's README. */
const CAPTURE = fileURLToPath(new URL('../../../packages/backend-pcap/fixtures/dumpcap.pcapng', import.meta.url))
// Processes of their own: a busy machine takes its time.
vi.setConfig({ testTimeout: 120_000 })
let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'vring-bench-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe('vring-bench run --smoke', () => {
  it('measures every accessor and the floor, agrees on one hash and stays below 250 MiB', async () => {
    const file = join(directory, 'smoke.json')
    const { code, stdout, stderr } = await vringBench(['run', '--smoke', '--seed', '42', '--json', file])
    expect(stderr).toBe('')
    expect(code).toBe(0)
    const results = parseResults(readFileSync(file, 'utf8'), file)
    const accessors = createRegistry().accessors.map(({ name }) => name)
    expect(results.cells.map(({ accessor }) => accessor)).toEqual([...accessors.reverse(), 'baseline'])
    expect(results.seed).toBe(42)
    expect(results.complete).toBe(true)
    const hashes = results.cells.filter(({ role }) => role === 'accessor').map(({ hash }) => hash)
    expect(new Set(hashes).size).toBe(1)
    for (const cell of results.cells) {
      expect(cell.failure).toBeUndefined()
      expect(cell.measured?.trials).toHaveLength(3)
      expect(cell.measured?.mpps.median).toBeGreaterThan(0.05)
      expect(cell.measured?.packets).toBeGreaterThanOrEqual(3 * 65_536)
      expect(cell.residentBytes).toBeLessThan(250 * 2 ** 20)
      expect(stdout).toContain(cell.accessor)
    }
    const copy = results.cells.find(({ accessor }) => accessor === 'copy-checked')
    expect(copy?.steps['lfence']).toBeCloseTo(2.02, 1)
    expect(Object.keys(copy?.accesses ?? {})).toEqual(['desc.copy', 'device.copy', 'driver.copy'])
    expect(results.residentBytes).toBeLessThan(250 * 2 ** 20)
  })

  describe('with a driver in turn and one in a thread of its own', () => {
    let run: CliResult
    let cells: readonly CellResult[]
    beforeAll(async () => {
      const drivers = ['--driver', 'inproc,inproc-threads', '--accessor', 'copy-checked,vmap-direct']
      run = await vringBench(['run', '--smoke', ...drivers, '--json', '-'])
      cells = parseResults(run.stdout, 'stdout').cells
    }, 120_000)

    it('--json - writes JSON to standard output and nothing else', () => {
      expect([run.code, run.stderr]).toEqual([0, ''])
      expect(cells).toHaveLength(4)
    })

    it('both give the same hash', () => {
      expect(cells.map(({ driver }) => driver)).toEqual(['inproc', 'inproc', 'inproc-threads', 'inproc-threads'])
      for (const cell of cells) expect(cell.failure).toBeUndefined()
      expect(new Set(cells.map(({ hash }) => hash)).size).toBe(1)
      expect(new Set(cells.map(({ ringHash }) => ringHash)).size).toBe(1)
    })

    it('the one in a thread is measured in slices, and says where its core was', () => {
      const { placement, comparisons } = parseResults(run.stdout, 'stdout')
      expect(placement).toMatchObject({ sliceMs: 50, needed: 3, patienceMs: 0 })
      for (const { measured, lines } of cells.slice(2)) {
        expect(measured!.slices!.map(({ round }) => round)).toEqual([0, 1, 2])
        const classes = Object.values(measured!.classes!)
        expect(classes.filter((rate) => rate !== null)).toHaveLength(1)
        expect(lines!['driver.toDevice']).toBeGreaterThan(0)
      }
      // Three slices are no evidence, whatever they are of; nor are three trials.
      expect(comparisons!.length).toBeGreaterThan(0)
      expect(comparisons!.every(({ verdict }) => verdict === 'no change')).toBe(true)
    })
  })

  it('recorded frames give the same hash over both ring formats, in order, from a driver in turn and from one in a thread', async () => {
    const args = ['run', '--smoke', '--driver', 'inproc,inproc-threads', '--accessor', 'copy-checked']
    const rings = ['--ring', 'split,packed', '--in-order']
    const { code, stdout } = await vringBench([...args, ...rings, '--input', CAPTURE, '--json', '-'])
    expect(code).toBe(0)
    const { cells } = parseResults(stdout, 'stdout')
    expect(cells.map(({ id, features }) => [id.split('/')[4], ...features!])).toEqual([
      ['dumpcap.pcapng', 'VERSION_1', 'IN_ORDER'],
      ['dumpcap.pcapng', 'VERSION_1', 'RING_PACKED', 'IN_ORDER'],
      ['dumpcap.pcapng', 'VERSION_1', 'IN_ORDER'],
      ['dumpcap.pcapng', 'VERSION_1', 'RING_PACKED', 'IN_ORDER'],
    ])
    expect(new Set(cells.map(({ hash }) => hash)).size).toBe(1)
  })

  it('Ctrl-C leaves a valid partial result', async () => {
    const file = join(directory, 'partial.json')
    const args = ['run', '--accessor', 'copy-checked,nospec-masked', '--trials', '500', '--json', file]
    const { code } = await vringBench(args, { interruptAfterMs: 5000 })
    expect(code).toBe(130)
    const results = parseResults(readFileSync(file, 'utf8'), file)
    expect(results.complete).toBe(false)
    expect(results.cells.map(({ accessor }) => accessor)).toEqual(['copy-checked', 'nospec-masked'])
    for (const cell of results.cells) {
      expect(cell.measured?.trials.length ?? 0).toBeLessThan(500)
      expect(cell.modelled).not.toEqual([])
    }
  })

  it('a cell that dies fails with its reason and the others go on', async () => {
    const args = ['run', '--smoke', '--plugin', fixture('dies.js'), '--accessor', 'dies,copy-checked', '--json', '-']
    const { code, stdout } = await vringBench(args)
    expect(code).toBe(0)
    const [dies, copy] = parseResults(stdout, 'stdout').cells
    expect(dies).toMatchObject({ measured: null, hash: null })
    expect(dies?.failure).toBe('its process exited with code 7 during prepare: no more memory')
    expect(copy?.measured?.mpps.median).toBeGreaterThan(0)
  })

  it('an accessor whose result differs ends the run with exit code 3', async () => {
    const args = ['run', '--smoke', '--plugin', fixture('lies.js'), '--accessor', 'copy-checked,lies', '--json', '-']
    const { code, stdout, stderr } = await vringBench(args)
    expect(code).toBe(3)
    expect(stderr).toMatch(/results disagree: lies\/split.* differs from .* of copy-checked\/split/)
    expect(parseResults(stdout, 'stdout').cells[1]?.measured).not.toBeNull()
  })
})

describe('a cell', () => {
  it('that hangs is ended and says so', async () => {
    const plugins = [fixture('hangs.js')]
    const spec = { ...makeCell({ name: 'hangs', options: {} }, null, {}), iotlb: false }
    const cell = new CellProcess(spec, {
      patienceMs: 3000,
      execArgv: ['--import', 'tsx', '--conditions=@vring/source'],
    })
    try {
      await expect(cell.prepare(1, plugins, true)).rejects.toThrow(CellFailure)
      await expect(cell.trial(10)).rejects.toThrow('its process was killed by SIGKILL')
    } finally {
      cell.close()
    }
  })
})

describe('exit codes', () => {
  it.each([
    [
      ['run', '--accessor', 'copy-chekced'],
      2,
      /--accessor: accessor "copy-chekced" is unknown; accepted: .*did you mean copy-checked\?/,
    ],
    [['run', '--backend', 'xpd1'], 2, /--backend: "xpd1" is unknown; accepted: drop, xdp1.*did you mean xdp1\?/],
    [
      ['run', '--accessor', 'vmap-direct:snyc=rcu'],
      2,
      /--accessor: option of vmap-direct "snyc" is unknown; accepted: .*did you mean sync\?/,
    ],
    [
      ['run', '--accessor', 'vmap-direct:sync=rcuu'],
      2,
      /--accessor: vmap-direct:sync "rcuu" is unknown; accepted: .*did you mean rcu\?/,
    ],
    [['run', '--plugin', './gone.mjs'], 2, /plugin \.\/gone\.mjs: can't be loaded/],
    [['run', '--json', '/proc/nowhere/x.json'], 2, /--json: \/proc\/nowhere\/x\.json can't be written/],
    [['run', '--json', '/'], 2, /--json: \/ is a directory/],
    [['run', '--sweep', 'queue-size=100'], 2, /power of two/],
    [['run', '--sweep', 'frame-bytes=64,9001'], 2, /--sweep frame-bytes: "9001" is not accepted; .* or imix$/m],
    [['run', '--sweep', 'batch=1=64'], 2, /batch="1=64" is not accepted; accepted: integers from 1 to 256/],
    [['run', '--shard', '1/4000000000'], 2, /--shard: .* accepted: i\/n with i from 1 to n, n up to 1000000$/m],
    [['run', '--accessor', 'vmap-direct:constructor=1'], 2, /"constructor" is unknown; accepted: mapping/],
    [['run', '--accessor', 'vmap-direct:__proto__=1'], 2, /"__proto__" is unknown; accepted: mapping/],
    [['constructor'], 2, /constructor: unknown command; accepted: run, /],
    [
      ['run', '--driver', 'testpmd', '--accessor', 'vmap-direct', '--frame-bytes', 'imix'],
      2,
      /sends frames of one length/,
    ],
    [['run', '--driver', 'testpmd', '--sweep', 'frame-bytes=64,2049'], 2, /\/2049B\/.*; accepted: up to 2048 bytes/],
    [['run', '--sweep', 'frame-bytes=imix,imix'], 2, /lists a value twice/],
    [['run', '--sweep', 'queue-size=imix'], 2, /queue-size="imix" is not accepted; accepted: integers from 2/],
    [['run', '--sweep', 'frame-bytes=64', '--frame-bytes', '128'], 2, /accepted: one of --frame-bytes and --sweep/],
    [
      ['run', '--driver', 'testpmd', '--sweep', 'regions=1,8'],
      2,
      /changes nothing for .* testpmd; accepted: frame-bytes, queue-size, in-order$/m,
    ],
    [
      ['run', '--driver', 'inproc-threads', '--sweep', 'file-backed=0,1'],
      2,
      /changes nothing for the driver inproc-threads/,
    ],
    [
      ['run', '--accessor', 'copy-checked', '--sweep', 'iotlb-entries=4,64'],
      2,
      /iotlb-entries changes nothing for the accessor copy-checked; accepted: frame-bytes, .*, regions, invalidations/,
    ],
    [
      ['run', '--accessor', 'copy-checked,iotlb-translated', '--sweep', 'regions=1,8'],
      2,
      /regions changes nothing for the accessor iotlb-translated; accepted: .*, iotlb-entries, /,
    ],
    [['run', '--sweep', 'barrier=0,1', '--sweep', 'hooks=0,1'], 2, /a build without hooks has no barrier/],
    [['run', '--sweep', 'regions=1,8', '--sweep', 'iotlb-entries=4,8'], 2, /no accessor depends on both regions and/],
    [
      ['run', '--accessor', 'baseline', '--sweep', 'invalidations=0,9'],
      2,
      /changes nothing for the floor; .*, batch, in-order$/m,
    ],
    [['run', '--accessor', 'baseline', '--backend', 'xdp2'], 2, /the floor has no xdp2; .*--backend drop,xdp1$/m],
    [['run', '--accessor', 'baseline', '--driver', 'inproc-threads'], 2, /the floor has no driver inproc-threads/],
    [['run', '--accessor', 'iotlb-translated', '--driver', 'testpmd'], 2, /testpmd has no device IOTLB/],
    [['run', '--ring', 'paked'], 2, /--ring: "paked" is unknown; accepted: split, packed; did you mean packed\?$/m],
    [['run', '--in-order', '--sweep', 'in-order=0,1'], 2, /--in-order: in-order is swept; accepted: one of --in-order/],
    [
      ['run', '--plugin', fixture('lies.js'), '--accessor', 'lies', '--sweep', 'hooks=0,1'],
      2,
      /hooks changes nothing for the plugin lies;/,
    ],
    [['run', '--json', '-', '--html', '-'], 2, /--html: - is where --json goes; accepted: another file/],
    [['run', '--json', 'x', '--html', './x'], 2, /--html: \.\/x is where --json goes/],
    [
      ['run', '--patience', 'long'],
      2,
      /--patience: "long" is not accepted; accepted: seconds, or such as 90s and 5min$/m,
    ],
    [['run', '--cores', '0,1023'], 2, /--cores: CPU 1023 is not one of this process; accepted: 0/],
    [
      ['run', '--classes', '225,80'],
      2,
      /--classes: 225,80 is not accepted; accepted: two round trips in ns, ascending$/m,
    ],
    [['cores', '--rounds', '0'], 2, /--rounds: "0" is not accepted; accepted: an integer from 1/],
    [['run', '--patience-ms', '10'], 2, /--patience-ms: "10" is not accepted; accepted: an integer from 1000/],
    [['run', '--sweep', 'regions=1,1'], 2, /lists a value twice/],
    [['run', '--peer', 'dpdk'], 2, /dpdk has no cell to be compared with; accepted: --driver testpmd/],
    [['run', '--peer', 'io-uring'], 2, /accepted: --backend tap/],
    [
      ['run', '--backend', 'loopback'],
      2,
      /loopback is not measured with the driver inproc; accepted: --driver testpmd/,
    ],
    [
      ['run', '--backend', 'loopback', '--accessor', 'copy-checked', '--shard', '2/2'],
      2,
      /not measured with .* inproc;/,
    ],
    [['run', '--backend', 'tap', '--driver', 'inproc-threads'], 2, /accepted: --driver inproc or --driver testpmd/],
    [['run', '--backend', 'tap', '--frame-bytes', '1519'], 2, /accepted: up to 1518/],
    [['run', '--input', './gone.pcapng'], 2, /--input: .*gone\.pcapng: can't be read \(ENOENT\)/],
    [['run', '--input', 'package.json'], 2, /--input: .*package\.json: .*accepted: pcapng, pcap/],
    [['run', '--input', CAPTURE, '--frame-bytes', '64'], 2, /leave --frame-bytes out/],
    [['run', '--input', CAPTURE, '--driver', 'testpmd'], 2, /testpmd makes its own frames; accepted: --driver inproc/],
    [['run', '--input', CAPTURE, '--sweep', 'chain-length=1,2'], 2, /one descriptor each/],
    [['run', '--input', CAPTURE, '--accessor', 'baseline'], 2, /the floor makes its own frames/],
    [['run', '--backend', 'tap', '--accessor', 'baseline'], 2, /the floor has no tap/],
    [['run', '--accessor', 'copy-checked,copy-checked:era=2019'], 2, /is what copy-checked.* is; each cell runs once/],
    [['run', '--frame-bytes', '64,064'], 2, /is there twice; each cell runs once/],
    [['run', '--accessor', 'vmap-direct:sync=rcu:sync=rcu'], 2, /sync in .* is given twice/],
    [['explain', '--accessor', 'nope'], 2, /accepted: vmap-direct, iotlb-translated, nospec-masked, copy-checked$/m],
    [['steps', '--accessor', 'baseline'], 2, /accessor "baseline" is unknown; accepted: vmap-direct/],
    [['speculate', '--accessor', 'baseline'], 2, /accessor "baseline" is unknown; accepted: vmap-direct/],
    [['explain', '--force', 'iotlb-translated'], 2, /device IOTLB only/],
    [['unknown'], 2, /unknown command; accepted: run, /],
    [
      ['--accessor', 'vmap-direct'],
      2,
      /--accessor: stands before the command; accepted: vring-bench run --accessor \.\.\.$/m,
    ],
  ])('%j gives %i and one line', async (args, code, message) => {
    const stderr: string[] = []
    const stdout: string[] = []
    const spies = [
      vi.spyOn(process.stderr, 'write').mockImplementation((text) => stderr.push(String(text)) > 0),
      vi.spyOn(process.stdout, 'write').mockImplementation((text) => stdout.push(String(text)) > 0),
    ]
    const actual = await main(args as string[])
    for (const spy of spies) spy.mockRestore()
    expect(actual).toBe(code)
    expect(stderr.join('').trim().split('\n')).toHaveLength(1)
    expect(stderr.join('')).toMatch(message as RegExp)
    expect(stdout).toEqual([])
  })

  it('cores writes a matrix, or says with 4 that there is no second CPU', async () => {
    const { code, stdout, stderr } = await vringBench(['cores', '--rounds', '1', '--json', '-'])
    if (code === 4)
      expect(stderr).toBe('vring-bench: a second CPU is missing: a cache line needs two cores to go to and fro\n')
    else {
      const { cpus, pairs, use } = JSON.parse(stdout)
      expect([code, pairs.length]).toEqual([0, (cpus.length * (cpus.length - 1)) / 2])
      expect(use === null || use.ns.median > 0).toBe(true)
    }
  })

  it('explain, plugins and steps write JSON that names every accessor', async () => {
    const names = createRegistry().accessors.map(({ name }) => name)
    const [explained, plugins, steps] = await Promise.all(
      [['explain', '--file-backed'], ['plugins'], ['steps', '--era', '2019']].map(async (args) => {
        const { code, stdout } = await vringBench([...args, '--json', '-'])
        expect(code).toBe(0)
        return JSON.parse(stdout)
      }),
    )
    expect([explained.chosen, ...explained.rejected.map(({ name }: { name: string }) => name)].sort()).toEqual(
      [...names].sort(),
    )
    expect(plugins.accessors.map(({ name }: { name: string }) => name)).toEqual(names)
    expect(steps.perPacket.map(({ accessor }: { accessor: string }) => accessor)).toEqual(names)
  })
})
