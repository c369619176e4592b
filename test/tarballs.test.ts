import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readWorkspace, repositoryRoot, type WorkspacePackage } from '../scripts/workspace.ts'

/**
 * Every public package as a user gets it: packed, installed from its tarball into an empty directory, imported, and
 * type-checked from there. Reads dist/, which `npm test` builds first. What @vring packages need from others is linked
 * from this repository's node_modules, so that no network is needed.
 */
const packages = readWorkspace().filter(({ manifest }) => manifest.private !== true)
const run = promisify(execFile)
const tarballs = new Map<string, { file: string; paths: readonly string[] }>()
let folder: string

/** An empty directory beside the tarballs, with all of them installed. */
const consumer = (): string => join(folder, 'consumer')

beforeAll(async () => {
  for (const one of packages) {
    const index = join(repositoryRoot, one.folder, 'dist')
    if (!existsSync(index)) throw new Error(`${one.folder} is not built: run npm run build`)
  }
  folder = mkdtempSync(join(tmpdir(), 'vring-tarballs-'))
  await pack()
  await install()
}, 180_000)

afterAll(() => {
  if (folder) rmSync(folder, { recursive: true, force: true })
})

async function pack(): Promise<void> {
  const workspaces = packages.flatMap(({ folder: path }) => ['--workspace', path])
  const { stdout } = await run(
    'npm',
    ['pack', '--json', '--ignore-scripts', '--pack-destination', folder, ...workspaces],
    { cwd: repositoryRoot, maxBuffer: 1 << 26 },
  )
  type Packed = { name: string; filename: string; files: { path: string }[] }
  for (const { name, filename, files } of JSON.parse(stdout) as Packed[])
    tarballs.set(name, { file: join(folder, filename), paths: files.map(({ path }) => path) })
}

async function install(): Promise<void> {
  mkdirSync(consumer())
  const overrides = Object.fromEntries(
    packages
      .flatMap(({ manifest }) => Object.keys(manifest.dependencies ?? {}))
      .filter((name) => !tarballs.has(name))
      .map((name) => [name, `file:${join(repositoryRoot, 'node_modules', name)}`]),
  )
  writeFileSync(
    join(consumer(), 'package.json'),
    JSON.stringify({ name: 'consumer', private: true, type: 'module', overrides }),
  )
  const files = [...tarballs.values()].map(({ file }) => file)
  await run('npm', ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', ...files], {
    cwd: consumer(),
  })
}

/** What a package can be imported as: its name, and its name with each exported subpath. */
function entryPoints({ manifest }: WorkspacePackage): string[] {
  return Object.keys(manifest.exports ?? {})
    .filter((path) => !path.endsWith('.json'))
    .map((path) => manifest.name + path.slice(1))
}

/** Names that a module exports, read by Node in a process of its own. */
async function exportsOf(specifier: string): Promise<string[]> {
  const script = `console.log(JSON.stringify(Object.keys(await import('${specifier}'))))`
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { cwd: consumer() })
  return JSON.parse(stdout) as string[]
}

/** Runs the compiler of this repository in the consumer's directory; resolves to what it prints. */
async function compile(options: readonly string[]): Promise<string> {
  const tsc = join(repositoryRoot, 'node_modules/typescript/bin/tsc')
  try {
    return (await run(process.execPath, [tsc, ...options], { cwd: consumer() })).stdout
  } catch (error) {
    return (error as { stdout: string }).stdout
  }
}

const strictly = ['--strict', '--module', 'nodenext', '--target', 'es2023', '--exactOptionalPropertyTypes']
const nodeTypes = ['--typeRoots', join(repositoryRoot, 'node_modules/@types'), '--types', 'node']

describe.each(packages.map((one) => ({ name: one.manifest.name, one })))('the tarball of $name', ({ name, one }) => {
  test('holds what it needs and no test', () => {
    const { paths } = tarballs.get(name)!
    expect(paths).toEqual(expect.arrayContaining(['LICENSE', 'package.json']))
    expect(paths.some((path) => path.startsWith('dist/') && path.endsWith('.js'))).toBe(true)
    expect(paths.filter((path) => /\.test\.|tsconfig|tsup|\.turbo/.test(path))).toEqual([])
  })

  test('passes publint --strict', async () => {
    const installed = join(consumer(), 'node_modules', name)
    const { messages, pkg } = await publint({ pkgDir: installed, pack: false, strict: true })
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([])
  })

  test('has types that resolve, for ESM (are the types wrong, profile esm-only)', async () => {
    if (entryPoints(one).length === 0) return
    const result = await checkPackage(createPackageFromTarballData(readFileSync(tarballs.get(name)!.file)))
    expect(result.types).toMatchObject({ kind: 'included' })
    const problems = result.types === false ? [] : (result as { problems: { kind: string }[] }).problems
    const relevant = problems.filter(
      (problem) =>
        !('resolutionKind' in problem && ['node10', 'node16-cjs'].includes(problem.resolutionKind as string)),
    )
    expect(relevant).toEqual([])
  })
})

describe('all tarballs installed into an empty directory', () => {
  test.each(packages.flatMap(entryPoints))('%s exports what its sources export', async (specifier) => {
    const source = Object.keys((await import(/* @vite-ignore */ specifier)) as object)
    expect(await exportsOf(specifier)).toEqual(source.sort())
  })

  test('type-check together, declarations included', { timeout: 120_000 }, async () => {
    const lines = packages
      .flatMap(entryPoints)
      .map((specifier, index) => `import * as p${index} from '${specifier}'\nexport { p${index} }`)
    writeFileSync(join(consumer(), 'all.ts'), `${lines.join('\n')}\n`)
    expect(await compile([...strictly, ...nodeTypes, '--skipLibCheck', 'false', '--noEmit', 'all.ts'])).toBe('')
  })

  test('a wrong use of them is a type error', { timeout: 60_000 }, async () => {
    writeFileSync(
      join(consumer(), 'wrong.ts'),
      "import { splitRingAreas } from '@vring/layout'\nsplitRingAreas('256', true, 0, 0, 0)\n",
    )
    expect(await compile([...strictly, '--noEmit', 'wrong.ts'])).toContain('wrong.ts(2,16): error TS2345')
  })
})

describe('an accessor written outside the repository, against the tarballs', () => {
  test('type-checks, loads with --plugin, is measured, and gives the same result as a built-in one', {
    timeout: 120_000,
  }, async () => {
    const source = join(repositoryRoot, 'test/fixtures/outside-plugin/accessor.ts')
    writeFileSync(join(consumer(), 'accessor.ts'), readFileSync(source))
    expect(await compile([...strictly, '--lib', 'es2023', '--skipLibCheck', 'false', 'accessor.ts'])).toBe('')
    const bench = join(consumer(), 'node_modules/.bin/vring-bench')
    const cells = ['run', '--smoke', '--plugin', './accessor.js', '--accessor', 'copy-checked,outside-walk']
    await run(bench, [...cells, '--json', 'out.json'], { cwd: consumer() })
    type Cell = { accessor: string; hash: string; measured: { packets: number } }
    const results = JSON.parse(readFileSync(join(consumer(), 'out.json'), 'utf8')) as { cells: Cell[] }
    expect(results.cells.map(({ accessor }) => accessor).sort()).toEqual(['copy-checked', 'outside-walk'])
    const [first, second] = results.cells
    expect(first!.hash).toMatch(/^[0-9a-f]{8,}$/)
    expect(second!.hash).toBe(first!.hash)
    for (const { measured } of results.cells) expect(measured.packets).toBeGreaterThan(1000)
  })

  test('is refused with a reason when it is no accessor', async () => {
    writeFileSync(join(consumer(), 'empty.js'), 'export const nothing = 1\n')
    const bench = join(consumer(), 'node_modules/.bin/vring-bench')
    const failed = run(bench, ['run', '--smoke', '--plugin', './empty.js'], { cwd: consumer() })
    await expect(failed).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('neither a default export') })
  })
})
