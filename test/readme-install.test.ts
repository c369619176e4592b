import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { importsOf, packageOf } from '../scripts/imports.ts'
import { readWorkspace, repositoryRoot } from '../scripts/workspace.ts'

const packages = readWorkspace()
const byName = new Map(packages.map((one) => [one.manifest.name, one]))

/** What npm puts into node_modules for these packages: they themselves and all that they depend on. */
function installed(names: Iterable<string>, found: Set<string> = new Set<string>()): ReadonlySet<string> {
  for (const name of names) {
    if (found.has(name)) continue
    found.add(name)
    const { dependencies, peerDependencies } = byName.get(name)?.manifest ?? {}
    installed(Object.keys({ ...dependencies, ...peerDependencies }), found)
  }
  return found
}

/** The install line of a README, and the packages that its first example imports. */
const readmes = packages.flatMap(({ folder }) => {
  const path = join(repositoryRoot, folder, 'README.md')
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
  const install = /^npm install .*$/m.exec(text)?.[0]
  const code = /^```ts\n([\s\S]*?)^```$/m.exec(text)?.[1]
  if (install === undefined || code === undefined) return []
  const imported = importsOf(path, code).map(({ specifier }) => packageOf(specifier))
  return [{ folder, install, imported: imported.filter((name) => name?.startsWith('@vring/')) as string[] }]
})

test.each(readmes)('$folder: what the README installs has what its example imports', ({ install, imported }) => {
  const there = installed(install.match(/@vring\/[\w-]+/g) ?? [])
  expect(imported.length).toBeGreaterThan(0)
  expect(imported.filter((name) => !there.has(name))).toEqual([])
})
