import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { repositoryRoot } from '../scripts/workspace.ts'
import { TARGETS } from './targets.ts'

describe('fuzzing for five seconds', () => {
  test.each(TARGETS)('%s finds nothing', (name) => {
    const args = ['--import', 'tsx', '--conditions=@vring/source', 'fuzz/cli.ts', name, '--time', '5s', '--dry']
    const run = spawnSync(process.execPath, args, { cwd: repositoryRoot, encoding: 'utf8', timeout: 110_000 })
    expect(run.stdout + run.stderr).toMatch(new RegExp(`^${name}: \\d+ executions, `, 'm'))
    expect(run.status, run.stdout + run.stderr).toBe(0)
    console.log(run.stdout.trim())
  })
})
