import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { parseResults } from '../src/results/parse-results.ts'
import { bundled } from './bundle.ts'
import { vringBench } from './cli.ts'

const fixture = (name: string): string => bundled(`fixtures/${name}`)
// Processes of their own: a busy machine takes its time.
vi.setConfig({ testTimeout: 120_000 })

let folder: string
let file: string
/** Where the victim writes that it stands still. */
let place: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vring-bench-'))
  file = join(folder, 'results.json')
  place = join(folder, 'place')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const run = (...more: string[]): string[] => [
  ...['run', '--smoke', '--plugin', fixture('victim.js'), '--accessor', 'victim,copy-checked'],
  ...['--trials', '4', '--json', file, ...more],
]

/** Waits until the victim stands still in the middle of its third trial; its process id. */
async function midTrial(): Promise<number> {
  for (let looks = 0; looks < 4000; looks++) {
    const pid = existsSync(place) ? Number(readFileSync(place, 'utf8')) : 0
    if (pid > 0) return pid
    await pause(20)
  }
  throw new Error('the third trial did not begin')
}

/** Is the process there, be it stopped? One that its parent did not wait for yet counts as gone. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

it('a cell whose process is killed in mid-trial fails with its reason, and the others go on', async () => {
  const kill = async (): Promise<void> => void process.kill(await midTrial(), 'SIGKILL')
  const { code, stderr } = await vringBench(run(), { env: { VRING_VICTIM: place }, beside: kill })
  const { cells, complete, comparisons } = parseResults(readFileSync(file, 'utf8'), file)
  const reason = 'its process was killed by SIGKILL during trial'
  expect(cells[0]).toMatchObject({ accessor: 'victim', measured: null, hash: null, failure: reason })
  expect(cells[1]).toMatchObject({ accessor: 'copy-checked', hash: expect.stringMatching(/^[0-9a-f]+$/) })
  expect(cells[1]!.measured!.trials).toHaveLength(4)
  expect(cells[1]!.failure).toBeUndefined()
  expect([complete, comparisons]).toEqual([true, []])
  expect(stderr).toBe(`vring-bench: ${cells[0]!.id} failed: ${reason}\n`)
  expect(code).toBe(0)
})

it('a cell that hangs in mid-trial is ended after the patience for it, and the others go on', async () => {
  let pid = 0
  const look = async (): Promise<void> => {
    pid = await midTrial()
    expect(isAlive(pid)).toBe(true)
  }
  const { code, stderr } = await vringBench(run('--patience-ms', '10000'), {
    env: { VRING_VICTIM: place },
    beside: look,
  })
  const { cells, complete } = parseResults(readFileSync(file, 'utf8'), file)
  const reason = 'hung: no answer to trial within 10 s'
  expect(cells[0]).toMatchObject({ accessor: 'victim', measured: null, hash: null, failure: reason })
  expect(cells[1]!.measured!.trials).toHaveLength(4)
  expect(complete).toBe(true)
  expect(stderr).toBe(`vring-bench: ${cells[0]!.id} failed: ${reason}\n`)
  expect(code).toBe(0)
  expect(isAlive(pid)).toBe(false)
})

it('Ctrl-C ends a trial that hangs, keeps those before it, and ends every process', async () => {
  let pid = 0
  let interrupted = 0
  const { code, stderr } = await vringBench(run('--patience-ms', '100000'), {
    env: { VRING_VICTIM: place },
    beside: async (program) => {
      pid = await midTrial()
      interrupted = performance.now()
      program.kill('SIGINT')
    },
  })
  // Long before its patience is over.
  expect(performance.now() - interrupted).toBeLessThan(60_000)
  const { cells, complete } = parseResults(readFileSync(file, 'utf8'), file)
  expect(complete).toBe(false)
  expect(cells.map(({ accessor }) => accessor)).toEqual(['victim', 'copy-checked'])
  const [victim, other] = cells
  expect(victim!.measured!.trials).toHaveLength(2)
  // It runs in turn with the victim: two trials, or three where its third one was first.
  expect(other!.measured!.trials.length).toBeGreaterThanOrEqual(2)
  expect(other!.measured!.trials.length).toBeLessThanOrEqual(3)
  for (const cell of cells) {
    expect(cell.failure).toBeUndefined()
    expect(cell.steps['load']).toBeGreaterThan(0)
    expect(cell.payloadSteps!['copyBytes']).toBeGreaterThan(0)
    expect(cell.modelled.map(({ smap }) => smap)).toEqual(expect.arrayContaining(['off', 'on']))
  }
  expect(stderr).toBe('')
  expect(code).toBe(130)
  expect(isAlive(pid)).toBe(false)
})

it('a run in which every cell fails ends with 1, says so, and leaves its results', async () => {
  const args = ['run', '--smoke', '--plugin', fixture('dies.js'), '--accessor', 'dies', '--json', file]
  const { code, stderr, stdout } = await vringBench(args)
  const { cells, complete } = parseResults(readFileSync(file, 'utf8'), file)
  expect(cells).toMatchObject([{ measured: null, failure: expect.stringContaining('exited with code 7') }])
  expect(complete).toBe(true)
  expect(stderr.trim().split('\n')).toEqual([
    `vring-bench: ${cells[0]!.id} failed: ${cells[0]!.failure}`,
    'vring-bench: no cell has a result',
    'vring-bench: does not conform: accessor dies: process: the kit comes to its end: its process exited with code 7: no more memory',
  ])
  expect(stdout).toContain('failed')
  expect(code).toBe(1)
})
