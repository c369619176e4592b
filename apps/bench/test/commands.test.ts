import { spawnSync } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CLAIMS } from '@vring/cost-model'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { main } from '../src/main.ts'
import { commandLine, vringBench } from './cli.ts'
import { madeCell, madeResults } from './made-results.ts'

let folder: string
let kept: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vring-bench-'))
  kept = join(folder, 'kept.json')
  writeFileSync(join(folder, 'foreign.json'), '{"schema":"other/1"}')
  writeFileSync(join(folder, 'broken.json'), '{')
  writeFileSync(join(folder, 'cut.json'), JSON.stringify(madeResults([], { shard: '1/4000000000' })))
  symlinkSync('loop.json', join(folder, 'loop.json'))
  expect((await vringBench(['run', '--smoke', '--accessor', 'copy-checked', '--json', kept])).code).toBe(0)
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs a command in this process. Output goes to a file: standard output belongs to the test runner. */
async function call(args: readonly string[]): Promise<{ code: number; stderr: string }> {
  const lines: string[] = []
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((text) => lines.push(String(text)) > 0)
  const code = await main(args)
  spy.mockRestore()
  return { code, stderr: lines.join('') }
}

async function json(args: readonly string[]): Promise<Record<string, never>> {
  const file = join(folder, 'out.json')
  const { code, stderr } = await call([...args, '--json', file])
  expect(stderr).toBe('')
  expect(code).toBe(0)
  return JSON.parse(readFileSync(file, 'utf8'))
}

/** Arguments that stand for a file of the folder. */
const FILES = /^(kept|gone|broken|foreign|cut|loop|broken\.json\/gone|typo\/out)$/

describe('commands on kept results', () => {
  it('compare says that a run does not differ from itself', async () => {
    const { comparisons, onlyBefore, onlyAfter } = await json(['compare', kept, kept])
    expect(comparisons).toMatchObject([{ verdict: 'no change', ratio: { median: 1 } }])
    expect([onlyBefore, onlyAfter]).toEqual([[], []])
  })

  it('compare says when there are too few trials to tell, and how many it takes', async () => {
    // Three trials, as of a smoke run, with no other cell beside them.
    const { tooFewTrials } = await json(['compare', kept, kept])
    expect(tooFewTrials).toEqual({ comparisons: 1, of: 1, needed: 4 })
    const { stdout } = await vringBench(['compare', kept, kept])
    expect(stdout).toContain('\ntoo few trials to tell 1 of 1: at least 4 a side\n')
    const many = join(folder, 'many.json')
    writeFileSync(many, JSON.stringify(madeResults([madeCell('copy-checked', 40)])))
    expect((await json(['compare', many, many])).tooFewTrials).toBeNull()
  }, 60_000)

  it('compare says which of the runs is to be taken with care', async () => {
    const quiet = madeResults([madeCell('copy-checked', 40)])
    const environment = { ...quiet.environment, busy: ['load was 3 before the run began'] }
    const [before, after] = ['quiet', 'busy'].map((name) => join(folder, `${name}.json`))
    writeFileSync(before!, JSON.stringify(quiet))
    writeFileSync(after!, JSON.stringify({ ...quiet, environment, complete: false }))
    const { stdout } = await vringBench(['compare', before!, after!])
    expect(stdout).toContain('\nAFTER is not all of its run\nAFTER, busy machine: load was 3 before the run began\n')
    expect(stdout).not.toContain('BEFORE')
  }, 60_000)

  it('check says what moved, and ends with 3 when a cell is slower or gone', async () => {
    const file = (name: string, vmap: number | null): string => {
      const path = join(folder, `${name}.json`)
      const cells = [madeCell('copy-checked', 40), ...(vmap === null ? [] : [madeCell('vmap-direct', vmap)])]
      writeFileSync(path, JSON.stringify(madeResults([...cells, madeCell('baseline', 140)])))
      return path
    }
    const [before, slower, faster, gone] = [file('b', 90), file('s', 60), file('f', 120), file('g', null)]
    expect(await json(['check', before, before])).toMatchObject({ failed: false, tolerance: 0.1, gone: [], added: [] })
    expect(await json(['check', before, faster])).toMatchObject({ failed: false, moves: [{}, { verdict: 'faster' }] })
    const out = join(folder, 'moved.json')
    expect((await call(['check', before, slower, '--json', out])).code).toBe(3)
    expect(JSON.parse(readFileSync(out, 'utf8'))).toMatchObject({ failed: true, moves: [{}, { verdict: 'slower' }] })
    expect((await call(['check', before, slower, '--json', out, '--tolerance', '50'])).code).toBe(0)
    expect((await call(['check', before, gone, '--json', out])).code).toBe(3)
    expect((await call(['check', gone, before, '--json', out])).code).toBe(0)
  })

  it('report draws HTML and Markdown', async () => {
    const html = join(folder, 'r.html')
    const markdown = join(folder, 'r.md')
    expect((await call(['report', kept, '--html', html, '--markdown', markdown])).code).toBe(0)
    expect(readFileSync(html, 'utf8')).toContain('copy-checked')
    expect(readFileSync(markdown, 'utf8')).toContain('| copy-checked |')
  })

  it('a slow reader gets all of it, and one that leaves is no error', async () => {
    const many = Array.from({ length: 9000 }, (_, index) => madeCell(`accessor-${index}`, 40))
    const large = join(folder, 'large.json')
    writeFileSync(large, JSON.stringify(madeResults(many)))
    const args = ['report', large, '--markdown', '-']
    // Longer than a pipe or a socket holds, so that writing it has to wait.
    const slow = await vringBench(args, { readAfterMs: 6000 })
    expect([slow.code, slow.stderr]).toEqual([0, ''])
    expect(slow.stdout.length).toBeGreaterThan(500_000)
    expect(slow.stdout).toContain('accessor-8999')
    expect(slow.stdout).toMatch(/--seed 1`\n$/)
    const gone = await vringBench(args, { readAfterMs: 'never' })
    expect([gone.code, gone.stderr, gone.stdout]).toEqual([0, '', ''])
  }, 60_000)

  it('control characters of a foreign file do not reach the terminal', async () => {
    const foreign = join(folder, 'control.json')
    const results = madeResults([madeCell('copy-checked', 40)])
    writeFileSync(foreign, JSON.stringify({ ...results, environment: { ...results.environment, cpu: 'a\u001b[31mb' } }))
    const { code, stdout } = await vringBench(['report', foreign, '--markdown', '-'])
    expect(code).toBe(0)
    expect(stdout).toContain('a\ufffd[31mb')
  }, 60_000)

  it.each([
    ['a shell', {}],
    ['a CI job', { CI: 'true' }],
  ])(
    'neither usage nor results that %s pipes have colours',
    async (_, more) => {
      const env = { NO_COLOR: '', FORCE_COLOR: '', TEST: '', CI: '', TERM: 'xterm', ...more }
      const usage = await vringBench(['run', '--help'], { env })
      const results = await vringBench(['compare', kept, kept], { env })
      expect([usage.code, results.code]).toEqual([0, 0])
      expect(usage.stdout).toContain('--accessor')
      expect(results.stdout).toContain('no change')
      expect(usage.stdout + results.stdout).not.toContain('\u001b')
    },
    60_000,
  )

  it('merge of one part is that part', async () => {
    expect(await json(['merge', kept])).toMatchObject({
      schema: 'vring-bench/1',
      cells: [{ accessor: 'copy-checked' }],
    })
  })

  it.each([
    [['compare', 'kept'], /^vring-bench: AFTER: missing/],
    [['compare', 'gone', 'kept'], /BEFORE: .*gone\.json can't be read \(ENOENT\)/],
    [['compare', 'broken', 'kept'], /BEFORE: .*broken\.json: not JSON/],
    [['compare', 'kept', 'foreign'], /AFTER: .*schema is "other\/1"; accepted: "vring-bench\/1"/],
    [['check', 'kept'], /FRESH: missing/],
    [['check', 'kept', 'foreign'], /FRESH: .*schema is "other\/1"/],
    [['check', 'kept', 'kept'], /FRESH: has no cell in common with KEPT that either floor or copy-checked/],
    [
      ['check', 'kept', 'kept', '--tolerance', '100'],
      /--tolerance: "100" is not accepted; accepted: an integer from 0/,
    ],
    [['report', 'kept'], /--html: missing/],
    [['report', 'broken.json/gone', '--html', 'gone'], /RESULTS: .*gone\.json can't be read \(ENOTDIR\)/],
    [['report', 'kept', '--html', 'broken.json/gone'], /--html: .*gone\.json can't be written \(E/],
    [['merge', 'loop', '--json', 'gone'], /PARTS: .*loop\.json can't be read \(ELOOP\)/],
    [['merge', 'cut'], /PARTS: .*cut\.json: shard: accepted: i\/n with i from 1 to n, n up to 1000000$/m],
    [['merge', 'kept', 'kept'], /PARTS: .* is in two of them/],
    [['merge'], /PARTS: missing/],
    [['report', 'kept', '--html', 'kept'], /--html: .*kept\.json is what is read; accepted: another file/],
    [['report', 'kept', '--markdown', 'kept'], /--markdown: .*kept\.json is what is read/],
    [['report', 'kept', '--html', 'gone', '--markdown', 'gone'], /--markdown: .*gone\.json is where --html goes/],
    [['compare', 'kept', 'kept', '--json', 'kept'], /--json: .*kept\.json is what is read/],
    [['check', 'kept', 'kept', '--json', 'kept'], /--json: .*kept\.json is what is read/],
    [['merge', 'kept', '--json', 'kept'], /--json: .*kept\.json is one of the parts/],
    [['merge', 'kept', '--json', '/proc/merged.json'], /--json: \/proc\/merged\.json can't be written \(E/],
    [['merge', 'kept', '--json', 'typo/out'], /--json: .*out\.json can't be written \(no directory .*typo\)/],
    [['report', 'kept', '--html', 'typo/out'], /--html: .*; accepted: one that is there$/m],
    [['run', '--smoke', '--json', '/proc/run.json'], /--json: \/proc\/run\.json can't be written \(E/],
    [
      ['explain', '--accessor', 'copy-checked', '--force', 'vmap-direct'],
      /--force: vmap-direct is known, but --accessor leaves it out; accepted: copy-checked$/m,
    ],
    [
      ['explain', '--force', 'vmap-dirct'],
      /--force: "vmap-dirct" is unknown; accepted: .*did you mean vmap-direct\?$/m,
    ],
    [['run', '--shard', '3/2'], /--shard: "3\/2" is not accepted; accepted: i\/n with i from 1 to n/],
  ])('%j ends with 2 and one line', async (args, message) => {
    const files = args.map((arg) => (FILES.test(arg) ? join(folder, `${arg}.json`) : arg))
    const { code, stderr } = await call(files)
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })
})

it.skipIf(process.platform !== 'linux').each(['compare', '--help', 'help', '--version', 'run --help'])(
  'standard output on a disk that is full is named in one line: %s',
  (command) => {
    const full = openSync('/dev/full', 'w')
    const [program, ...args] = commandLine(command === 'compare' ? [command, kept, kept] : command.split(' '))
    const { status, stderr } = spawnSync(program!, args, { stdio: ['ignore', full, 'pipe'], encoding: 'utf8' })
    closeSync(full)
    expect(stderr).toMatch(/^vring-bench: standard output: .*\(ENOSPC\).*\n$/)
    expect(status).toBe(2)
  },
  60_000,
)

it.skipIf(process.platform !== 'linux')(
  'a result file on a disk that is full loses neither the tables nor the report',
  async () => {
    const html = join(folder, 'full.html')
    const args = ['run', '--smoke', '--accessor', 'copy-checked', '--json', '/dev/full', '--html', html]
    const { code, stdout, stderr } = await vringBench(args)
    expect(stdout).toMatch(/measured Mpps[\s\S]*copy-checked[\s\S]*largest resident set/)
    expect(readFileSync(html, 'utf8')).toContain('copy-checked')
    expect(stderr).toMatch(/^vring-bench: --json: \/dev\/full can't be written \(ENOSPC\);.*\n$/)
    expect(code).toBe(2)
  },
  60_000,
)

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}.mjs`, import.meta.url))

it.each([
  [
    'steps',
    'throws',
    /^vring-bench: --plugin: accessor throws throws: not today \(Object.create at .*throws.*:\d+\); accepted: .*\n$/,
  ],
  [
    'speculate',
    'throws',
    /^vring-bench: --plugin: accessor throws throws: not today \(Object.create at .*throws.*:\d+\); accepted: .*\n$/,
  ],
  [
    'explain',
    'unreadable',
    /^vring-bench: plugin .*unreadable\.mjs: throws: ask another plugin \(.* at .*unreadable.*:\d+\)\n$/,
  ],
  [
    'plugins',
    'unreadable',
    /^vring-bench: plugin .*unreadable\.mjs: throws: ask another plugin \(.* at .*unreadable.*:\d+\)\n$/,
  ],
  [
    'explain',
    'unfinished',
    /^vring-bench: plugin .*unfinished\.mjs: accessor "unfinished": supports\.\w+ is undefined; accepted: .*\n$/,
  ],
])('%s names a plugin that throws, in one line: %s', async (command, plugin, message) => {
  const { code, stderr } = await call([command, '--plugin', fixture(plugin)])
  expect(stderr).toMatch(message)
  expect(code).toBe(2)
})

it('a plugin that imports what its contract had is told what changed', async () => {
  const { code, stderr } = await vringBench(['explain', '--plugin', fixture('contract-1')])
  expect(stderr).toMatch(
    /contract-1\.mjs: can't be loaded: .*AREAS.*; contract 2: windows are single accesses over .*\n$/,
  )
  expect(code).toBe(2)
})

describe('conformance', () => {
  const backend = (body: string): string => {
    const file = join(folder, `backend-${Math.abs(body.length)}.mjs`)
    writeFileSync(
      file,
      `export const backend = { [Symbol.for('vring.backend-plugin')]: true, name: 'theirs', apiVersion: 1, description: 'theirs',
        supports: { inPlace: true, xdp: false, privileged: false, receives: false },
        create: () => ({ name: 'theirs', counters: { txFrames: 0, txBytes: 0, txDropped: {} }, flush() {}, close() {}, ${body} }) }`,
    )
    return file
  }

  it('ends with 3 for a backend that breaks its promises', async () => {
    const { code, stderr } = await vringBench(['conformance', '--plugin', backend('transmit: () => undefined')])
    expect([code, stderr]).toEqual([3, ''])
  })

  it('says how many cases it could not ask of a backend, and takes a text for one that takes texts', async () => {
    const plugin = backend('transmit: ({ count }) => count')
    const { stdout } = await vringBench(['conformance', '--plugin', plugin])
    expect(stdout).toMatch(/^not asked here: \d+ more, which need your own `sent` and `arrive`/m)
    const { code, stderr } = await vringBench(['conformance', '--plugin', plugin, '--backend', 'theirs:text'])
    expect(stderr).toContain('--backend: theirs:text: accepted: theirs, without more')
    expect(code).toBe(2)
  })

  it('has every case in JSON, and wants a plugin', async () => {
    const file = join(folder, 'conformance.json')
    const args = ['conformance', '--plugin', backend('transmit: ({ count }) => count'), '--json', file]
    expect((await vringBench(args)).code).toBe(3)
    const { reports } = JSON.parse(readFileSync(file, 'utf8'))
    expect(reports[0]).toMatchObject({ plugin: 'theirs', kind: 'backend' })
    expect(reports[0].cases.length).toBeGreaterThan(5)
    const failures = reports[0].cases.flatMap(({ failure }: { failure: string | null }) => failure ?? [])
    expect(failures).toContain('counters.txFrames is 0 after 80 frames')
    expect(await call(['conformance'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--plugin') })
  })
})

it('a plugin that throws does not matter where it is not asked for', async () => {
  for (const command of ['steps', 'speculate'])
    await json([command, '--accessor', 'copy-checked', '--plugin', fixture('throws')])
})

it('the folder of results that no argument names is made, and no other one', async () => {
  const made = join(folder, 'empty')
  mkdirSync(made)
  const [own, other] = ['bench-out/all.json', 'bench-out/deep/all.json'].map((file) =>
    vringBench(['merge', kept, '--json', file], { cwd: made }),
  )
  expect([(await own!).code, (await other!).code]).toEqual([0, 2])
  expect(readdirSync(made, { recursive: true })).toEqual(['bench-out', join('bench-out', 'all.json')])
})

it('a TMPDIR that is not there is named in one line', async () => {
  const gone = join(folder, 'not-there')
  vi.stubEnv('TMPDIR', gone)
  const { code, stderr } = await call(['run', '--smoke', '--accessor', 'copy-checked'])
  vi.unstubAllEnvs()
  expect(stderr).toBe(
    `vring-bench: TMPDIR: ${gone} can't take a folder (ENOENT); accepted: a directory that can be written\n`,
  )
  expect(code).toBe(2)
})

describe('commands on the code that ships', () => {
  it('model judges every published claim, and ends with 3 as long as one of them fails', async () => {
    const out = join(folder, 'model.json')
    const { code, stderr } = await call(['model', '--json', out])
    const { claims } = JSON.parse(readFileSync(out, 'utf8')) as {
      claims: { id: string; modelled: number | null; verdict: string }[]
    }
    const failed = claims.filter(({ verdict }) => verdict === 'not reproduced')
    expect(failed.length).toBeGreaterThan(0)
    expect(code).toBe(3)
    expect(stderr.match(/^claim not reproduced: .*$/gm)).toHaveLength(failed.length)
    expect(claims.map(({ id }) => id)).toEqual(CLAIMS.map(({ id }) => id))
    // Counted where the driver is ahead: avail.idx is loaded once for four batches.
    const accesses = claims.find(({ id }) => id === 'metadata-accesses')
    expect(accesses).toMatchObject({ modelled: 2 + 3.25 / 64, verdict: 'reproduced' })
  })

  it('model predicts the unpublished cell, with its interval and what differences of published cells say', async () => {
    const out = join(folder, 'model.json')
    await call(['model', '--json', out])
    const { prediction, parameters } = JSON.parse(readFileSync(out, 'utf8'))
    expect(prediction).toMatchObject({ variant: 'nospec-masked', smap: 'on' })
    expect(prediction.interval.low.toFixed(1)).toBe('4.9')
    expect(prediction.interval.high.toFixed(1)).toBe('5.5')
    expect(prediction.byDifference.toFixed(2)).toBe('5.34')
    for (const { name, value, interval } of parameters) {
      expect(interval.low, name).toBeLessThanOrEqual(value)
      expect(interval.high, name).toBeGreaterThan(value)
    }
  })

  it('speculate flags the direct mapping on the ring of 2019 and clears it on the ring that ships', async () => {
    const { reports } = await json(['speculate', '--accessor', 'copy-checked,vmap-direct'])
    expect(
      (reports as { accessor: string; nospec: string; verdict: string }[]).map(({ accessor, nospec, verdict }) => [
        accessor,
        nospec,
        verdict,
      ]),
    ).toEqual([
      ['copy-checked', 'mask', 'clear'],
      ['copy-checked', 'none', 'clear'],
      ['vmap-direct', 'mask', 'clear'],
      ['vmap-direct', 'none', 'flagged'],
    ])
  })

  it('explore finds the missing barrier of the seqcount and nothing in what ships', async () => {
    const { entries } = await json(['explore', '--entry', 'M16'])
    expect(entries).toMatchObject([
      { id: 'M16', expected: 'stale-mapping', found: 'stale-mapping', asExpected: true, shipped: { finding: null } },
    ])
  })
})
