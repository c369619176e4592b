import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readManifest, readWorkspace, repositoryRoot } from '../scripts/workspace.ts'

/** Pages that a reader types commands from. */
const pages = [
  ...['README.md', 'CONTRIBUTING.md', 'ARCHITECTURE.md', 'SECURITY.md'],
  ...readdirSync(join(repositoryRoot, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
  ...readWorkspace().map(({ folder }) => join(folder, 'README.md')),
].map((name) => ({ name, text: readFileSync(join(repositoryRoot, name), 'utf8') }))

/** What the pages say after a word, page by page: `npx`, `npm run`. */
function named(pattern: RegExp): string[] {
  return pages.flatMap(({ name, text }) => [...text.matchAll(pattern)].map(([, word]) => `${name}: ${word}`))
}

describe('commands that the pages name', () => {
  test('npx finds vring-bench and vring-serve once they are built, in this repository and nowhere else', () => {
    // npm links a command of a workspace only if its file exists; before the first build there is none.
    const commands = readWorkspace().flatMap(({ folder, manifest }) =>
      Object.entries((manifest.bin ?? {}) as Record<string, string>).map(([name, file]) => ({
        name,
        file: join(repositoryRoot, folder, file),
      })),
    )
    for (const { name, file } of commands) {
      const link = join(repositoryRoot, 'node_modules/.bin', name)
      expect(existsSync(link), `${link}: run npm run build`).toBe(true)
      expect(realpathSync(link)).toBe(file)
    }
    const words = named(/\bnpx (vring-[\w-]+)/g)
    expect(words.length).toBeGreaterThan(10)
    expect(words.filter((word) => !commands.some(({ name }) => word.endsWith(`: ${name}`)))).toEqual([])
  })

  test('npm run finds its scripts', () => {
    const scripts = Object.keys(readManifest(repositoryRoot).scripts ?? {})
    const words = named(/\bnpm run (?:--silent )?([\w:-]+)/g)
    expect(words.length).toBeGreaterThan(10)
    expect(words.filter((word) => !scripts.some((name) => word.endsWith(`: ${name}`)))).toEqual([])
  })
})
