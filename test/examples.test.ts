import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { repositoryRoot } from '../scripts/workspace.ts'

const folder = join(repositoryRoot, 'examples')

test.each(readdirSync(folder).filter((name) => name.endsWith('.ts')))('%s runs as its first lines say', (name) => {
  const [, line] = /^ \*\s+npx (tsx .*)$/m.exec(readFileSync(join(folder, name), 'utf8'))!
  const [, ...args] = line!.split(' ')
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', ...args], {
    cwd: repositoryRoot,
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  expect(status).toBe(0)
  expect(stdout.split('\n').length).toBeGreaterThan(3)
})
