import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { importsOf } from '../scripts/imports.ts'
import { readWorkspace, repositoryRoot } from '../scripts/workspace.ts'

/** Entry points that need Node and the operating system. Every other one runs in a browser. */
const NEEDS_NODE = [
  '@vring/linux',
  '@vring/linux/machine-code',
  '@vring/backend-af-xdp',
  '@vring/backend-pcap',
  '@vring/backend-tap/linux',
  '@vring/ebpf/linux',
  '@vring/vhost-user',
  '@vring/vhost-user-blk',
  '@vring/vhost-user-net',
  'vring/linux',
  'vring/backend-af-xdp',
  'vring/backend-pcap',
  'vring/backend-tap-linux',
  'vring/ebpf-linux',
  'vring/vhost-user',
  'vring/vhost-user-blk',
  'vring/vhost-user-net',
]

const packages = readWorkspace().filter(({ folder }) => folder.startsWith('packages/'))
/** Source file of each entry point. */
const entries = new Map(
  packages.flatMap(({ folder, manifest }) =>
    Object.entries(manifest.exports ?? {}).flatMap(([path, target]) => {
      const source = (target as Record<string, string>)['@vring/source']
      return source === undefined
        ? []
        : [[manifest.name + path.slice(1), join(repositoryRoot, folder, source)] as const]
    }),
  ),
)

const known = new Map<string, readonly string[]>()

/** What a module imports when it runs: types are gone by then. */
function importsAtRunTime(file: string): readonly string[] {
  const imports = known.get(file)
  if (imports !== undefined) return imports
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ESNext, verbatimModuleSyntax: true }
  const { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), { compilerOptions })
  const found = importsOf(file, outputText).map(({ specifier }) => specifier)
  known.set(file, found)
  return found
}

/** What a module, and all that it loads, imports from outside this repository. */
function foreignImports(file: string, seen: Set<string> = new Set(), found: Set<string> = new Set()): Set<string> {
  if (seen.has(file)) return found
  seen.add(file)
  for (const specifier of importsAtRunTime(file)) {
    const next = specifier.startsWith('.') ? join(dirname(file), specifier) : entries.get(specifier)
    if (next === undefined) found.add(specifier)
    else foreignImports(next, seen, found)
  }
  return found
}

test.each([...entries])('%s loads nothing of Node, unless it says so', (name, file) => {
  const node = [...foreignImports(file)].filter((specifier) => /^node:|^koffi$/.test(specifier))
  if (NEEDS_NODE.includes(name)) expect(node).not.toEqual([])
  else expect(node).toEqual([])
})
