import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkName, renameFile, renameIdentifiers } from './rename.ts'

export type PluginKind = 'accessor' | 'backend'
export const PLUGIN_KINDS: readonly PluginKind[] = ['accessor', 'backend']

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** Where the sources of each kind are: beside what is built, or in this repository. */
const SOURCES: Readonly<Record<PluginKind, readonly string[]>> = {
  accessor: [here('../templates/accessor'), here('../../accessor-template/src')],
  backend: [here('../templates/backend')],
}

/** What each kind needs when it runs, and when it is tested and measured. All packages of a release have one version. */
const NEEDS: Readonly<Record<PluginKind, readonly [run: readonly string[], test: readonly string[]]>> = {
  accessor: [
    ['@vring/accessor', '@vring/layout', '@vring/memory'],
    ['@vring/bench', '@vring/conformance', '@vring/speculation'],
  ],
  backend: [['@vring/vhost-net'], ['@vring/bench', '@vring/net-conformance']],
}

/**
 * Makes the project of a plugin in a new folder.
 *
 * @param folder default `vring-KIND-NAME` in the working directory
 * @returns the folder
 * @throws Error for a name that is none, or a folder that exists
 */
export function createPlugin(kind: PluginKind, name: string, folder: string = `vring-${kind}-${name}`): string {
  checkName(name)
  if (existsSync(folder)) throw new Error(`${folder} exists; accepted: a folder that does not`)
  const source = SOURCES[kind].find((path) => existsSync(path))
  if (source === undefined) throw new Error(`the template of ${kind} is not there: build the package first`)
  mkdirSync(join(folder, 'src'), { recursive: true })
  for (const file of readdirSync(source))
    writeFileSync(
      join(folder, 'src', renameFile(name, file)),
      renameIdentifiers(name, readFileSync(join(source, file), 'utf8')),
    )
  writeFileSync(join(folder, 'package.json'), manifest(kind, name))
  writeFileSync(join(folder, 'README.md'), readme(kind, name))
  writeFileSync(join(folder, 'tsconfig.json'), TSCONFIG)
  writeFileSync(join(folder, 'vitest.config.ts'), VITEST_CONFIG)
  writeFileSync(join(folder, '.gitignore'), 'node_modules\ndist\n')
  return folder
}

function manifest(kind: PluginKind, name: string): string {
  const { version } = JSON.parse(readFileSync(here('../package.json'), 'utf8')) as { version: string }
  const [run, test] = NEEDS[kind]
  const ours = (names: readonly string[]): Record<string, string> =>
    Object.fromEntries(names.map((one) => [one, `^${version}`]))
  return `${JSON.stringify(
    {
      name: `vring-${kind}-${name}`,
      version: '0.1.0',
      description: `A vring ${kind}: ${name}.`,
      type: 'module',
      sideEffects: false,
      engines: { node: '^20.19 || >=22.12' },
      keywords: ['vring', `vring-${kind}`, 'virtio', 'virtqueue'],
      files: ['dist', 'src', '!src/**/*.test.ts'],
      exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' }, './package.json': './package.json' },
      scripts: { build: 'tsc', test: 'vitest run', prepack: 'npm run build && npm test' },
      dependencies: ours(run),
      devDependencies: { ...ours(test), typescript: '^6.0.0', vitest: '^4.1.0' },
    },
    null,
    2,
  )}\n`
}

const TSCONFIG = `${JSON.stringify(
  {
    compilerOptions: {
      target: 'ES2023',
      lib: ['ES2023'],
      module: 'NodeNext',
      strict: true,
      exactOptionalPropertyTypes: true,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
      declaration: true,
      rootDir: 'src',
      outDir: 'dist',
      types: [],
      skipLibCheck: true,
    },
    include: ['src'],
    exclude: ['src/**/*.test.ts'],
  },
  null,
  2,
)}\n`

const VITEST_CONFIG = `import { defineConfig } from 'vitest/config'

export default defineConfig({ test: { include: ['src/**/*.test.ts'], testTimeout: 60_000 } })
`

function readme(kind: PluginKind, name: string): string {
  const other = kind === 'accessor' ? `--accessor ${name},copy-checked` : `--backend ${name} --accessor copy-checked`
  return `# vring-${kind}-${name}

A vring ${kind}: say in one line what it does.

**When not to use it:** say when another ${kind} is the better one.

\`\`\`sh
npm install
npm test          # the conformance kit
npm run build
npx vring-bench run --smoke --plugin ./dist/index.js ${other}
\`\`\`

\`vring-bench\` is the command of \`@vring/bench\`, which \`npm install\` has put here. Without \`--smoke\` it measures for a minute.
`
}
