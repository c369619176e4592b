import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const FILES = ['packages', 'apps', 'test', 'fuzz'].flatMap((top) =>
  readdirSync(top, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts') && !/node_modules|dist/.test(path))
    .map((path) => `${top}/${path}`),
)
/** Files that have a name of their own there. */
const NAMES: Readonly<Record<string, string>> = {
  attacks: 'apps/serve/test/hostile.interop.test.ts',
  matrix: 'apps/serve/test/hostile-matrix.interop.test.ts',
}

/** The rows of the table of attacks: what stands in each, the test last. */
const rows = readFileSync('SECURITY.md', 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && line.split('|').length === 6)
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
  .filter(([first]) => first !== 'surface' && first !== 'where')

/**
 * Each test that a cell names: `file`: "title", "title"; attacks: "title"; matrix. A title may be cut short by three
 * dots at an end.
 */
function named(cell: string): { readonly files: readonly string[]; readonly titles: readonly string[] }[] {
  return cell.split(';').map((one) => {
    const paths = [...one.matchAll(/`([^`]+)`/g)].map(([, path]) => path!)
    const found = paths.flatMap((path) => FILES.filter((file) => `/${file}`.endsWith(`/${path}`)))
    const name = paths.length === 0 ? /^\s*(\w+)/.exec(one)?.[1] : undefined
    const files = name !== undefined && NAMES[name] !== undefined ? [NAMES[name]] : found
    return { files, titles: [...one.matchAll(/"([^"]+)"/g)].map(([, title]) => title!) }
  })
}

test('the table has rows', () => {
  expect(rows.length).toBeGreaterThan(25)
})

test.each(rows)('%s: %s: its tests exist', (...cells) => {
  const tests = named(cells[3]!)
  for (const { files, titles } of tests) {
    expect(files, cells[3]).not.toEqual([])
    const source = files.map((file) => readFileSync(file, 'utf8')).join('\n')
    for (const title of titles) {
      const part = title.replace(/^\.\.\. ?/, '').replace(/ ?\.\.\.$/, '')
      expect(source.includes(part), `${files}: ${title}`).toBe(true)
    }
  }
})
