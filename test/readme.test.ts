import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import { generatedReadmes, replaceSections } from '../scripts/readme-sections.ts'
import { readManifest, readWorkspace, repositoryRoot } from '../scripts/workspace.ts'

const packages = readWorkspace()
const generated = await generatedReadmes(packages)
const table = readFileSync(join(repositoryRoot, 'docs/packages.md'), 'utf8')

/** Every Markdown file that is written by hand. */
const documents = ['.', 'docs', 'docs/adr', 'fuzz', 'faults', ...packages.map(({ folder }) => folder)]
  .map((folder) => join(repositoryRoot, folder))
  .filter(existsSync)
  .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
  .filter((file) => file.endsWith('.md') && !file.endsWith('CHANGELOG.md'))

describe('the READMEs', () => {
  test.each([...generated])('%s has generated sections that are up to date (npm run readme)', (name, sections) => {
    const text = readFileSync(join(repositoryRoot, name), 'utf8')
    expect(replaceSections(text, sections)).toBe(text)
  })
})

describe('docs/packages.md', () => {
  test('names every package', () => {
    for (const { folder } of packages) expect(table).toContain(`(../${folder})`)
  })

  test('refuses to lose a section whose markers are gone', () => {
    expect(() => replaceSections('# vring\n', { claims: 'a', packages: 'b' })).toThrow(/no markers for claims/)
  })
})

describe('the documents', () => {
  test.each(documents.map((file) => relative(repositoryRoot, file)))('%s links to files that exist', (name) => {
    const file = join(repositoryRoot, name)
    const text = readFileSync(file, 'utf8').replace(/```[\s\S]*?```/g, '')
    const targets = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, target]) => target!)
    const local = targets.filter((target) => !/^[a-z]+:/.test(target))
    expect(local.filter((target) => !existsSync(join(dirname(file), target)))).toEqual([])
  })

  test('name scripts that the root package.json has', () => {
    const scripts = Object.keys(readManifest(repositoryRoot).scripts ?? {})
    for (const file of documents)
      for (const [, script] of readFileSync(file, 'utf8').matchAll(/npm run ([a-z][a-z:-]*)/g))
        expect(scripts, `${relative(repositoryRoot, file)}: npm run ${script}`).toContain(script)
  })
})
