import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { importsOf, packageOf } from '../scripts/imports.ts'
import { readWorkspace, repositoryRoot } from '../scripts/workspace.ts'

/** The install line of a README, and the packages that its first example imports. */
const readmes = readWorkspace().flatMap(({ folder }) => {
  const path = join(repositoryRoot, folder, 'README.md')
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
  const install = /^npm install .*$/m.exec(text)?.[0]
  const code = /^```ts\n([\s\S]*?)^```$/m.exec(text)?.[1]
  if (install === undefined || code === undefined) return []
  const imported = importsOf(path, code).flatMap(({ specifier }) => packageOf(specifier) ?? [])
  return [{ folder, install, imported }]
})

// pnpm and Yarn PnP give a program what it named, and nothing that only came with it.
test.each(readmes)('$folder: the README installs by name what its example imports', ({ install, imported }) => {
  expect(imported.length).toBeGreaterThan(0)
  expect(imported.filter((name) => !install.split(' ').includes(name))).toEqual([])
})
