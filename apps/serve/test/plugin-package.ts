import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url))
const SOURCE = join(REPOSITORY, 'test/fixtures/outside-plugin/accessor.ts')
/** What the accessor imports, with what that imports. */
const NEEDED = ['accessor', 'iotlb', 'layout', 'memory', 'mmu-notifier']

/**
 * An accessor as an author publishes it who knows vring from the registry only: a package of its own, packed, and installed
 * into an empty directory beside tarballs of the packages that it imports. Nothing in there leads back to the repository.
 *
 * @param folder an empty directory
 * @returns the directory that has the package in its node_modules; the accessor's name, and the package's, is `outside-walk`
 */
export function installPluginPackage(folder: string): string {
  const [source, consumer] = [join(folder, 'source'), join(folder, 'consumer')]
  for (const directory of [source, consumer]) mkdirSync(directory)
  const { outputText } = ts.transpileModule(readFileSync(SOURCE, 'utf8'), {
    compilerOptions: { module: ts.ModuleKind.ES2022, target: ts.ScriptTarget.ES2022 },
  })
  writeFileSync(join(source, 'index.js'), outputText)
  const dependencies = Object.fromEntries(['accessor', 'layout', 'memory'].map((name) => [`@vring/${name}`, '^0.0.0']))
  const manifest = { name: 'outside-walk', version: '1.0.0', type: 'module', exports: './index.js', dependencies }
  writeFileSync(join(source, 'package.json'), JSON.stringify(manifest))
  const own = npm(source, 'pack', '--pack-destination', folder)
  const workspaces = NEEDED.flatMap((name) => ['--workspace', `packages/${name}`])
  const theirs = npm(REPOSITORY, 'pack', '--ignore-scripts', '--pack-destination', folder, ...workspaces)
  const tarballs = [own, theirs].flatMap((lines) =>
    lines
      .trim()
      .split('\n')
      .filter((line) => line.endsWith('.tgz')),
  )
  writeFileSync(join(consumer, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }))
  const offline = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund']
  npm(consumer, 'install', ...offline, ...tarballs.map((file) => join(folder, file)))
  return consumer
}

function npm(cwd: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('npm', args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`npm ${args.join(' ')}: ${stderr}`)
  return stdout
}
