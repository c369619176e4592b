import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'

/** Below node_modules/, where `@vring/xdp` resolves as for a user. */
const root = fileURLToPath(new URL('../../../', import.meta.url))
mkdirSync(join(root, 'node_modules/.cache'), { recursive: true })
const folder = mkdtempSync(join(root, 'node_modules/.cache/vring-xdp-readme-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

test('the README: a program of your own is compiled, loaded and counts', () => {
  const page = readFileSync(fileURLToPath(new URL('../README.md', import.meta.url)), 'utf8')
  for (const [, name, text] of page.matchAll(/^```(?:c|js) (\S+)\n([\s\S]*?)^```$/gm))
    writeFileSync(join(folder, name!), text!)
  const [clang] = /^clang .*$/m.exec(page)!
  execFileSync('sh', ['-c', clang], { cwd: folder })
  const node = ['--import', 'tsx', '--conditions=@vring/source', 'tally.mjs']
  const printed = execFileSync(process.execPath, node, { cwd: folder, encoding: 'utf8' })
  expect(printed).toBe(/^```text\n([\s\S]*?)^```$/m.exec(page)![1])
})
