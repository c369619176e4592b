import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readWorkspace, repositoryRoot } from '../scripts/workspace.ts'

/** The pages that tell people what to import. ADRs tell of what was as well. */
const pages = [
  ...['README.md', 'CONTRIBUTING.md', 'ARCHITECTURE.md', 'SECURITY.md', 'examples/README.md'],
  ...readdirSync(join(repositoryRoot, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
  ...readWorkspace().map(({ folder }) => join(folder, 'README.md')),
].filter((name) => existsSync(join(repositoryRoot, name)))

/** What each library exports, as its report says; subpaths of a package in one. */
const reports = new Map(
  readWorkspace()
    .map(({ folder, manifest }) => [manifest.name, join(repositoryRoot, folder, 'api-report.md')] as const)
    .filter(([, file]) => existsSync(file))
    .map(([name, file]) => [name, readFileSync(file, 'utf8')]),
)

interface Import {
  readonly page: string
  readonly package: string
  readonly name: string
}

function importsOf(page: string): Import[] {
  const text = readFileSync(join(repositoryRoot, page), 'utf8')
  return [...text.matchAll(/^import (?:type )?\{([^}]*)\} from '(@vring\/[\w-]+)/gm)].flatMap(([, names, from]) =>
    names!
      .split(',')
      .map(
        (one) =>
          one
            .trim()
            .replace(/^type /, '')
            .split(' as ')[0]!,
      )
      .filter((name) => name !== '')
      .map((name) => ({ page, package: from!, name })),
  )
}

const imports = pages.flatMap(importsOf)

test('names that pages import are exported by their packages, in snippets that no test runs too', () => {
  expect(imports.length).toBeGreaterThan(100)
  const missing = imports.filter(({ package: from, name }) => {
    const report = reports.get(from)
    return report !== undefined && !new RegExp(`^(?:export .*)?\\b${name}\\b`, 'm').test(report)
  })
  expect(missing).toEqual([])
})
