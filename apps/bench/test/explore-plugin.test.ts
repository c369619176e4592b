import { expect, test, vi } from 'vitest'
import { bundled } from './bundle.ts'
import { vringBench } from './cli.ts'

// Processes of their own: a busy machine takes its time.
vi.setConfig({ testTimeout: 120_000 })

const races = bundled('fixtures/races.js')

test('explore --plugin finds a mapping that is used after the notifier returned, and ends with 3', async () => {
  const { code, stdout, stderr } = await vringBench(['explore', '--plugin', races, '--bound', '1', '--json', '-'])
  expect([code, stderr]).toEqual([3, ''])
  const [{ accessor, explored }] = JSON.parse(stdout).accessors
  expect(accessor).toBe('races')
  const found = explored.filter(
    ({ finding }: { finding: { kind: string } | null }) => finding?.kind === 'stale-mapping',
  )
  expect(found.map(({ scenario }: { scenario: string }) => scenario)).toContain('batch-during-invalidation')
})

test('explore --accessor runs the rings over one that ships, by its options; a name is told by its nearest', async () => {
  const one = ['explore', '--accessor', 'vmap-direct:sync=rcu', '--bound', '0']
  const { code, stdout } = await vringBench(one)
  expect(code).toBe(0)
  expect(stdout).toMatch(/vmap-direct:sync=rcu[\s\S]*packed-batch-during-invalidation .*none in \d+ schedules/)
  const wrong = await vringBench(['explore', '--accessor', 'vmap-dirct'])
  expect(wrong.code).toBe(2)
  expect(wrong.stderr).toContain('vmap-direct')
  for (const option of [['--entry', 'M16'], ['--timelines'], ['--pct']]) {
    const both = await vringBench([...one, ...option])
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('goes with the catalogue')])
  }
})
