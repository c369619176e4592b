import { execFile } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { builtinModules } from 'node:module'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'
import { promisify } from 'node:util'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LICENSES_FILE } from '../scripts/build/bundled-licenses.ts'
import { importsOf, packageOf } from '../scripts/imports.ts'
import { BUNDLED } from '../scripts/layers.ts'
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
}, 400_000)

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

/** Where npm has put what a package of this repository needs: beside it, where another one wants another version. */
function installedAt(path: string, name: string): string {
  const places = [join(repositoryRoot, path, 'node_modules', name), join(repositoryRoot, 'node_modules', name)]
  return places.find((place) => existsSync(place)) ?? places[1]!
}

async function install(): Promise<void> {
  mkdirSync(consumer())
  const overrides = Object.fromEntries(
    packages.flatMap(({ folder: path, manifest }) =>
      Object.keys(manifest.dependencies ?? {})
        .filter((name) => !tarballs.has(name))
        .map((name) => [name, `file:${installedAt(path, name)}`]),
    ),
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

describe.each(packages.map((one) => ({ name: one.manifest.name, one })))('the tarball of $name', ({ name, one }) => {
  test('holds what it needs and no test', () => {
    const { paths } = tarballs.get(name)!
    expect(paths).toEqual(expect.arrayContaining(['LICENSE', 'package.json']))
    expect(paths.some((path) => path.startsWith('dist/') && path.endsWith('.js'))).toBe(true)
    const own = paths.filter((path) => !path.startsWith('templates/'))
    expect(own.filter((path) => /\.test\.|tsconfig|tsup|\.turbo/.test(path))).toEqual([])
  })

  test('ships each source once: maps name a file of the tarball, or of another package, and repeat none', () => {
    const { paths } = tarballs.get(name)!
    for (const path of paths.filter((one) => one.endsWith('.map'))) {
      const { sources, sourcesContent } = JSON.parse(
        readFileSync(join(consumer(), 'node_modules', name, path), 'utf8'),
      ) as { sources: string[]; sourcesContent?: (string | null)[] }
      expect(
        (sourcesContent ?? []).filter((text) => text !== null),
        path,
      ).toEqual([])
      const own = sources
        .map((source) => posix.join(posix.dirname(path), source))
        .filter((one) => one.startsWith('src/'))
      expect(paths, path).toEqual(expect.arrayContaining(own))
    }
  })

  test('names what is of Node by node:, so that Deno and bundlers know it', () => {
    const { paths } = tarballs.get(name)!
    const bare = paths
      .filter((path) => path.endsWith('.js'))
      .flatMap((path) =>
        importsOf(path, readFileSync(join(consumer(), 'node_modules', name, path), 'utf8')).map(
          ({ specifier }) => specifier,
        ),
      )
      .filter((specifier) => builtinModules.includes(specifier))
    expect(bare).toEqual([])
  })

  test('imports what its manifest declares, in declarations too', () => {
    const { paths } = tarballs.get(name)!
    const { dependencies, optionalDependencies, peerDependencies } = one.manifest
    const declared = [name, ...Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })]
    const files = paths.filter((path) => path.startsWith('dist/') && /\.(js|d\.ts)$/.test(path))
    const named = files.flatMap((path) =>
      importsOf(path, readFileSync(join(consumer(), 'node_modules', name, path), 'utf8'))
        .map(({ specifier }) => packageOf(specifier))
        .filter((from) => from !== null && !declared.includes(from))
        .map((from) => `${path}: ${from}`),
    )
    expect(named).toEqual([])
  })

  test('has the licence of each library whose code it carries', () => {
    const libraries = BUNDLED[one.folder.replace(/^packages\//, '')] ?? []
    const list = join(consumer(), 'node_modules', name, 'dist', LICENSES_FILE)
    const text = existsSync(list) ? readFileSync(list, 'utf8') : ''
    for (const library of libraries)
      expect(text).toMatch(new RegExp(`^${library} \\d[^\\n]* \\((MIT|Apache-2.0)\\)$`, 'm'))
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

/** Bytes of all that npm puts into node_modules for a package: it and what it needs, for this platform. */
function installedBytes(name: string, seen: Set<string> = new Set()): number {
  if (seen.has(name)) return 0
  seen.add(name)
  const [ours, theirs] = [join(consumer(), 'node_modules', name), join(repositoryRoot, 'node_modules', name)]
  const place = tarballs.has(name) ? ours : theirs
  if (!existsSync(place)) return 0
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(place, 'package.json'), 'utf8'))
  const needed = Object.keys({ ...dependencies, ...optionalDependencies })
  return needed.reduce((sum, next) => sum + installedBytes(next, seen), folderBytes(place))
}

function folderBytes(place: string): number {
  const files = readdirSync(place, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
  return files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0)
}

describe('the size budget', () => {
  const budget = JSON.parse(readFileSync(join(repositoryRoot, '.ci/size-budget.json'), 'utf8')) as {
    tarballKiB: Record<string, number>
    installedKiB: Record<string, number>
  }

  test('has every package', () => {
    expect(Object.keys(budget.tarballKiB).sort()).toEqual([...tarballs.keys()].sort())
  })

  test.each(packages.map(({ manifest }) => manifest.name))('%s unpacks into its budget', (name) => {
    expect(folderBytes(join(consumer(), 'node_modules', name)) / 1024).toBeLessThan(budget.tarballKiB[name]!)
  })

  test.each(Object.entries(budget.installedKiB))('%s with all that it needs takes less than %d KiB', (name, most) => {
    expect(installedBytes(name) / 1024).toBeLessThan(most)
  })
})

describe('all tarballs installed into an empty directory', () => {
  test.each(packages.flatMap(entryPoints))('%s exports what its sources export', async (specifier) => {
    const source = Object.keys((await import(/* @vite-ignore */ specifier)) as object)
    expect(await exportsOf(specifier)).toEqual(source.sort())
  })

  test('type-check together without @types/node, declarations included', { timeout: 120_000 }, async () => {
    const lines = packages
      .flatMap(entryPoints)
      .map((specifier, index) => `import * as p${index} from '${specifier}'\nexport { p${index} }`)
    writeFileSync(join(consumer(), 'all.ts'), `${lines.join('\n')}\n`)
    expect(await compile([...strictly, '--skipLibCheck', 'false', '--noEmit', 'all.ts'])).toBe('')
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
    const folder = run(bench, ['plugins', '--plugin', './node_modules'], { cwd: consumer() })
    await expect(folder).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('it is a directory; accepted'),
    })
  })
})

describe.each(['accessor', 'backend'])('the project of a new %s, made from the tarballs', (kind) => {
  const project = (): string => join(consumer(), `vring-${kind}-my-way`)
  const npx = (command: string, ...args: readonly string[]): Promise<{ stdout: string }> =>
    run(join(consumer(), 'node_modules/.bin', command), args, { cwd: project() })

  beforeAll(async () => {
    for (const tool of ['vitest', 'typescript'])
      if (!existsSync(join(consumer(), 'node_modules', tool)))
        symlinkSync(join(repositoryRoot, 'node_modules', tool), join(consumer(), 'node_modules', tool))
    await run(join(consumer(), 'node_modules/.bin/create-vring-plugin'), [kind, 'my-way'], { cwd: consumer() })
  })

  test('needs what is installed, and builds', { timeout: 60_000 }, async () => {
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(project(), 'package.json'), 'utf8'))
    for (const name of Object.keys({ ...dependencies, ...devDependencies }))
      expect(existsSync(join(consumer(), 'node_modules', name)), name).toBe(true)
    await run(process.execPath, [join(repositoryRoot, 'node_modules/typescript/bin/tsc')], { cwd: project() })
    expect(existsSync(join(project(), 'dist/index.js'))).toBe(true)
  })

  test('passes its kit', { timeout: 180_000 }, async () => {
    const vitest = join(repositoryRoot, 'node_modules/vitest/vitest.mjs')
    await run(process.execPath, [vitest, 'run', '--root', project(), '--configLoader', 'runner'], { cwd: project() })
  })

  test('is measured as its README says', { timeout: 60_000 }, async () => {
    const readme = readFileSync(join(project(), 'README.md'), 'utf8')
    const [, line] = /^npx vring-bench (.*)$/m.exec(readme)!
    const { stdout } = await npx('vring-bench', ...line!.split(' '))
    expect(stdout).toContain('copy-checked')
  })

  test('is not made over a folder, nor for a name that is none', async () => {
    const create = (...args: string[]) =>
      run(join(consumer(), 'node_modules/.bin/create-vring-plugin'), args, { cwd: consumer() })
    await expect(create(kind, 'my-way')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('exists; accepted'),
    })
    await expect(create(kind, 'My Way')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('lower-case words'),
    })
    await expect(create('driver', 'x')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('accepted: accessor, backend'),
    })
    expect((await create('--help')).stdout).toContain('create-vring-plugin KIND NAME [FOLDER]')
  })
})

describe('without koffi, as where optional packages are left out', () => {
  const koffi = (): string => join(consumer(), 'node_modules/koffi')
  beforeAll(() => renameSync(koffi(), `${koffi()}-away`))
  afterAll(() => renameSync(`${koffi()}-away`, koffi()))

  test.each([
    ['vring-serve', '--backend', 'drop', '--socket', 'no.sock'],
    ['vring-bench', 'cores'],
  ])('%s ends with 4 and names the package to install', { timeout: 60_000 }, async (command, ...args) => {
    const failed = run(join(consumer(), 'node_modules/.bin', command), args, { cwd: consumer() })
    await expect(failed).rejects.toMatchObject({ code: 4, stderr: expect.stringContaining('npm install koffi') })
  })
})
