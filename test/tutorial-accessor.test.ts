import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { AccessorPlugin } from '@vring/accessor'
import * as parts from '@vring/accessor'
import { killTable, runConformance } from '@vring/conformance'
import { explorePlugin } from '@vring/explorer'
import { speculate } from '@vring/speculation'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { changesetOf, newAccessor } from '../scripts/new-accessor.ts'
import { checkPackageShape, packageFiles } from '../scripts/package-shape.ts'
import { readManifest, repositoryRoot } from '../scripts/workspace.ts'

/** A fenced block of the page: its language, the file it is about (or none), and its lines. */
interface Block {
  readonly language: string
  readonly file: string
  readonly text: string
}

const page = readFileSync(join(repositoryRoot, 'docs/tutorial-accessor.md'), 'utf8')
const blocks: Block[] = [...page.matchAll(/^```(\w+) ?(.*)\n([\s\S]*?)^```$/gm)].map(
  ([, language = '', file = '', text = '']) => ({ language, file, text }),
)

/** Two levels below the root, as packages are: relative paths of the configuration files hold. */
let root: string
let folder: string
beforeAll(() => {
  root = mkdtempSync(join(repositoryRoot, '.tutorial-'))
  folder = newAccessor('remembered', root)
})
afterAll(() => {
  rmSync(root, { recursive: true })
})

/** A file of the page in the folder of this run. */
function fileOf(block: Block): string {
  return block.file.replace(/^packages\/accessor-remembered/, folder)
}

/** Puts the `+` lines of a change in the place of its `-` lines, between its unchanged ones. */
function applyDiff(block: Block): void {
  const lines = block.text.trimEnd().split('\n')
  const side = (sign: string): string =>
    lines
      .filter((line) => !line.startsWith(sign))
      .map((line) => line.slice(1))
      .join('\n')
  const before = readFileSync(fileOf(block), 'utf8')
  expect(before.split(side('+')).length, `occurrences in ${block.file} of\n${side('+')}`).toBe(2)
  writeFileSync(
    fileOf(block),
    before.replace(side('+'), () => side('-')),
  )
}

/** The accessor as it is now. */
async function load(stage: number): Promise<AccessorPlugin> {
  // Another file is another module: every stage is loaded afresh, its window too.
  const window = join(folder, 'src/remembered-window.ts')
  const staged = join(folder, `src/remembered-window-${stage}.ts`)
  const plugin = join(folder, `src/remembered-${stage}.ts`)
  writeFileSync(staged, readFileSync(window, 'utf8'))
  const source = readFileSync(join(folder, 'src/remembered.ts'), 'utf8')
  writeFileSync(plugin, source.replace('./remembered-window.ts', `./${basename(staged)}`))
  const { remembered } = (await import(/* @vite-ignore */ plugin)) as { remembered: AccessorPlugin }
  rmSync(staged)
  rmSync(plugin)
  return remembered
}

/** What the tools say about an accessor, as the page prints it. */
function verdict(plugin: AccessorPlugin): string {
  const failures = runConformance(plugin).filter(({ failure }) => failure !== null)
  const titles = failures.map(({ suite, title }) => `  ${suite}: ${title}\n`)
  return `conformance failures: ${failures.length}\n${titles.join('')}speculation: ${speculate(plugin).verdict}\n`
}

/** What the explorer finds in an accessor, as the page prints it. */
function explored(plugin: AccessorPlugin): string {
  return explorePlugin(plugin, { parts })
    .flatMap(({ scenario, finding }) =>
      finding === null ? [] : [`${scenario}: ${finding.kind}: ${finding.message}\n`],
    )
    .join('')
}

describe('npm run new:accessor', () => {
  test('makes a package of the common shape', () => {
    const one = { folder: folder.slice(repositoryRoot.length + 1), manifest: readManifest(folder), imports: [] }
    const files = packageFiles(one)
    expect(checkPackageShape(one, { ...files, changesets: [changesetOf('remembered')] })).toEqual([])
  })

  test('writes its name in every case that code has', () => {
    const other = newAccessor('two-words', root)
    const source = readFileSync(join(other, 'src/two-words.ts'), 'utf8')
    expect(source).toContain("const NAME = 'two-words'")
    expect(source).toContain('export const twoWords: AccessorPlugin')
    expect(source).toContain("import { TwoWordsWindow } from './two-words-window.ts'")
    expect(source).not.toMatch(/template/i)
  })

  test('refuses what is no name, and a folder that exists', () => {
    for (const name of ['', 'Two', 'two_words', '-two', 'two--words', 'my-template', '../two'])
      expect(() => newAccessor(name, root), name).toThrow('accepted: lower-case words joined by -')
    expect(() => newAccessor('remembered', root)).toThrow('exists')
  })
})

describe('docs/tutorial-accessor.md', () => {
  test('every step does what the page says', async () => {
    const stages: AccessorPlugin[] = []
    for (const block of blocks) {
      if (block.language === 'ts') writeFileSync(fileOf(block), block.text)
      else if (block.language === 'diff') applyDiff(block)
      else if (block.file === 'explore') expect(explored(stages.at(-1)!)).toBe(block.text)
      else if (block.language === 'text') {
        stages.push(await load(stages.length))
        expect(verdict(stages.at(-1)!)).toBe(block.text)
      }
    }
    expect(stages.length).toBe(3)
    // What the generated test of the package asks for beside that.
    expect(killTable(stages.at(-1)!).filter((kill) => kill.verdict === null)).toEqual([])
  }, 120_000)

  test('the result type-checks', () => {
    const configFile = join(repositoryRoot, 'tsconfig.json')
    const { config } = ts.readConfigFile(configFile, ts.sys.readFile)
    const files = ['index', 'remembered', 'remembered-window'].map((name) => join(folder, `src/${name}.ts`))
    const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files }, ts.sys, repositoryRoot)
    const diagnostics = ts.getPreEmitDiagnostics(ts.createProgram(files, options))
    expect(diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([])
  }, 120_000)

  test('the bench measures it beside copy-checked, and both did the same work', () => {
    const npx = (program: string, args: readonly string[], cwd: string): string => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { cwd, encoding: 'utf8' })
      expect(status, `${program} ${args.join(' ')}\n${stdout}\n${stderr}`).toBe(0)
      return stdout
    }
    const cli = join(repositoryRoot, 'apps/bench/dist/cli.js')
    if (!existsSync(cli)) spawnSync('npm', ['run', '--silent', 'build:js'], { cwd: repositoryRoot, stdio: 'inherit' })
    npx(join(repositoryRoot, 'node_modules/tsup/dist/cli-default.js'), [], folder)
    const line = blocks.find(({ text }) => text.includes('vring-bench run'))!.text.split('\n')[1]!
    const args = line.split(' ').slice(2)
    const results = join(folder, 'results.json')
    npx(cli, [...args.map((arg) => arg.replace('./packages/accessor-remembered', folder)), '--json', results], root)
    const { cells } = JSON.parse(readFileSync(results, 'utf8')) as {
      cells: { accessor: string; hash: string; mpps: { median: number } }[]
    }
    expect(cells.map(({ accessor }) => accessor).sort()).toEqual(['copy-checked', 'remembered'])
    expect(new Set(cells.map(({ hash }) => hash)).size).toBe(1)
  }, 120_000)
})
