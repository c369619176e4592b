import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { repositoryRoot } from '../scripts/workspace.ts'

/**
 * Executes docs/tutorial-backend.md: its files are written below node_modules/, where `@vring/...` resolves as for a
 * user.
 */
mkdirSync(join(repositoryRoot, 'node_modules/.cache'), { recursive: true })
const folder = mkdtempSync(join(repositoryRoot, 'node_modules/.cache/vring-tutorial-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

const page = readFileSync(join(repositoryRoot, 'docs/tutorial-backend.md'), 'utf8')
writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
for (const [, name, text] of page.matchAll(/^```js (\S+)\n([\s\S]*?)^```$/gm)) writeFileSync(join(folder, name!), text!)

function run(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['--import', 'tsx', '--conditions=@vring/source', ...args], {
    cwd: folder,
    encoding: 'utf8',
  })
}

describe('the tutorial of a backend', () => {
  test('makes one that conforms', () => {
    const { stdout, stderr } = run('conformance.js')
    expect(stderr).toBe('')
    expect(stdout).toBe(/^```text\n([\s\S]*?)^```$/m.exec(page)![1])
  })

  test('says of an `arrive` that swaps nothing which byte is wrong', () => {
    const program = readFileSync(join(folder, 'conformance.js'), 'utf8')
    writeFileSync(join(folder, 'unswapped.js'), program.replace('batchOf([swapped])', 'batchOf([frame])'))
    const [said] = /byte 0 is \w+; expected \w+/.exec(page)!
    expect(run('unswapped.js').stdout).toContain(said)
  })

  test('has other words for a text that a backend does not take', () => {
    const bench = join(repositoryRoot, 'apps/bench/src/cli.ts')
    const { status, stderr } = run(bench, ...'run --smoke --accessor copy-checked --backend drop:0x88b5'.split(' '))
    expect(stderr).toContain('--backend: drop:0x88b5: accepted: drop, without more')
    expect(status).toBe(2)
  })

  test('finds it with --plugin, and measures it with the hash of a built-in accessor', { timeout: 120_000 }, () => {
    const bench = join(repositoryRoot, 'apps/bench/src/cli.ts')
    for (const [, line] of page.matchAll(/^npx vring-bench (.*)$/gm)) {
      const { status, stderr, stdout } = run(bench, ...line!.split(' '))
      expect(stderr).toBe('')
      expect(status).toBe(0)
      expect(stdout).toMatch(
        line!.startsWith('run') ? /^Common: .*, backend echo:0x88b5\..*^copy-checked /ms : /echo:ETHERTYPE/,
      )
    }
  })
})
