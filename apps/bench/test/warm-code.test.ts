import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { bundled } from './bundle.ts'
import { vringBench } from './cli.ts'

const PLUGIN = bundled('fixtures/optimised.js')
// Processes of their own: a busy machine takes its time.
vi.setConfig({ testTimeout: 120_000 })

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vring-bench-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

it('what the warm-up compiled outlives the answer that it is over, so no trial pays for compiling it again', async () => {
  const file = join(folder, 'optimised')
  const { code, stderr } = await vringBench(
    ['run', '--smoke', '--plugin', PLUGIN, '--accessor', 'optimised', '--json', join(folder, 'results.json')],
    { env: { VRING_OPTIMISED: file } },
  )
  expect([code, stderr]).toEqual([0, ''])
  expect(readFileSync(file, 'utf8').split('\n')[0]).toBe('prepared 1 1')
})
