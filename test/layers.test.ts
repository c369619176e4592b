import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { importsOf } from '../scripts/imports.ts'
import { checkLayers, LAYERS } from '../scripts/layers.ts'
import {
  type Manifest,
  readManifest,
  readWorkspace,
  repositoryRoot,
  type WorkspacePackage,
} from '../scripts/workspace.ts'

/** A package of a made-up workspace: `sources` by file name below src/. */
function workspace(
  folder: string,
  dependencies: string[] = [],
  sources: Record<string, string> = {},
): WorkspacePackage {
  const manifest: Manifest = {
    name: `@vring/${folder.replace(/^.*\//, '')}`,
    exports: { '.': {}, './package.json': './package.json' },
    dependencies: Object.fromEntries(dependencies.map((name) => [`@vring/${name}`, '^0.0.0'])),
  }
  const imports = Object.entries(sources).flatMap(([name, text]) => importsOf(`${folder}/src/${name}`, text))
  return { folder, manifest, imports }
}

const layout = workspace('packages/layout')
const memory = workspace('packages/memory', ['layout'], { 'index.ts': "import { EFAULT } from '@vring/layout'" })
const accessor = workspace('packages/accessor', ['memory'], { 'index.ts': "export type { A } from '@vring/memory'" })

describe('the packages of this repository', () => {
  test('import downwards only, and only what they declare', () => {
    const packages = readWorkspace()
    expect(packages.length).toBeGreaterThan(10)
    expect(packages.flatMap((one) => one.imports).length).toBeGreaterThan(50)
    const root = readManifest(repositoryRoot)
    expect(checkLayers(packages, root.devDependencies)).toEqual([])
  })

  test('are drawn in ARCHITECTURE.md, each layer of the check among them', () => {
    const text = readFileSync(join(repositoryRoot, 'ARCHITECTURE.md'), 'utf8')
    for (const name of LAYERS.flat()) expect(text).toContain(name.replace(/^apps\/\*$/, 'apps').replace('*', ''))
  })
})

describe('the layer check', () => {
  test('accepts a graph whose arrows point downwards', () => {
    expect(checkLayers([layout, memory, accessor])).toEqual([])
  })

  test('names the offending edge when an upward import is added', () => {
    const upward = workspace('packages/memory', ['layout', 'accessor'], {
      'paged-space.ts': "import { plainCpu } from '@vring/accessor'",
    })
    expect(checkLayers([layout, upward, workspace('packages/accessor', ['layout'])])).toEqual([
      'packages/memory/package.json: depends on @vring/accessor: upward: layer 4 is above layer 2',
      'packages/memory/src/paged-space.ts: imports @vring/accessor: upward: layer 4 is above layer 2',
    ])
  })

  test('sees an upward import that is a type, a re-export or a dynamic import', () => {
    for (const text of [
      "import type { Cpu } from '@vring/accessor'",
      "export * from '@vring/accessor'",
      "export const late = () => import('@vring/accessor')",
      "export type Cpu = import('@vring/accessor').Cpu",
    ]) {
      const upward = workspace('packages/memory', ['accessor'], { 'a.ts': text })
      expect(checkLayers([upward, workspace('packages/accessor')]).join('\n')).toContain('upward')
    }
  })

  test('does not read comments and strings as imports', () => {
    const text = `// import '@vring/accessor'\n/* export * from '@vring/accessor' */\nconst s = "import '@vring/accessor'"`
    expect(checkLayers([workspace('packages/memory', [], { 'a.ts': text })])).toEqual([])
  })

  test('refuses one accessor that imports another', () => {
    const masked = workspace('packages/accessor-nospec-masked', ['accessor-copy-checked'])
    expect(checkLayers([masked, workspace('packages/accessor-copy-checked')]).join()).toContain('sideways')
  })

  test('refuses an import that is not declared', () => {
    const undeclared = workspace('packages/memory', [], { 'a.ts': "import { EFAULT } from '@vring/layout'" })
    expect(checkLayers([layout, undeclared])).toEqual([
      'packages/memory/src/a.ts: imports @vring/layout: not a declared dependency',
    ])
  })

  test('refuses a dependency on a workspace that does not exist', () => {
    expect(checkLayers([workspace('packages/memory', ['layuot'])]).join()).toContain('no such workspace')
  })

  test('refuses a subpath that is not exported', () => {
    const deep = workspace('packages/memory', ['layout'], { 'a.ts': "import '@vring/layout/src/errno.ts'" })
    expect(checkLayers([layout, deep]).join()).toContain('does not export ./src/errno.ts')
  })

  test('refuses a relative import that leaves its package', () => {
    const leaving = workspace('packages/memory', ['layout'], { 'deep/a.ts': "import '../../../layout/src/errno.ts'" })
    expect(checkLayers([layout, leaving]).join()).toContain('leaves its package')
  })

  test('keeps Node out of what runs in a browser, and lets tests use it', () => {
    const text = "import { readFileSync } from 'node:fs'"
    expect(checkLayers([workspace('packages/memory', [], { 'a.test.ts': text })])).toEqual([])
    expect(checkLayers([workspace('packages/backend-tap', [], { 'a.ts': text })])).toEqual([])
    expect(checkLayers([workspace('packages/memory', [], { 'a.ts': text })]).join()).toContain('may use Node')
  })

  test('wants the node: prefix', () => {
    expect(checkLayers([workspace('apps/bench', [], { 'a.ts': "import 'fs'" })]).join()).toContain('write node:fs')
  })

  test('lets only linux import koffi', () => {
    const ffi = { 'a.ts': "import koffi from 'koffi'" }
    const declare = (one: WorkspacePackage): WorkspacePackage => ({
      ...one,
      manifest: { ...one.manifest, dependencies: { koffi: '3.3.4' } },
    })
    expect(checkLayers([declare(workspace('packages/linux', [], ffi))])).toEqual([])
    expect(checkLayers([declare(workspace('packages/vhost-user', [], ffi))]).join()).toContain('foreign functions')
  })

  test('keeps linux a leaf, used by backends, vhost-user and apps only', () => {
    const linux = workspace('packages/linux', ['layout'])
    expect(checkLayers([layout, linux, workspace('packages/vhost-user', ['linux'])])).toEqual([])
    expect(checkLayers([layout, linux, workspace('packages/memory', ['linux'])]).join()).toContain('is used by')
    expect(checkLayers([memory, layout, workspace('packages/linux', ['memory'])]).join()).toContain('leaf')
  })

  test('lets the tools into tests and into the bench, and into nothing else', () => {
    const testkit = workspace('packages/testkit', ['layout'])
    const use = { 'a.ts': "import { conformance } from '@vring/testkit'" }
    expect(checkLayers([layout, testkit, workspace('apps/bench', ['testkit'], use)])).toEqual([])
    expect(checkLayers([layout, testkit, workspace('packages/xdp', ['testkit'], use)]).join()).toContain('tests only')
    const tested = workspace('packages/xdp', [], { 'a.test.ts': use['a.ts'] })
    const declared = { ...tested, manifest: { ...tested.manifest, devDependencies: { '@vring/testkit': '^0.0.0' } } }
    expect(checkLayers([layout, testkit, declared])).toEqual([])
    expect(checkLayers([layout, testkit, tested]).join()).toContain('not a declared dependency or devDependency')
  })

  test('gives the tools no plugin at run time, and an order among themselves', () => {
    const testkit = workspace('packages/testkit', ['layout'])
    const speculation = workspace('packages/speculation', ['testkit'])
    const plugin = workspace('packages/accessor-a', [])
    const conformance = workspace('packages/conformance', ['testkit', 'speculation'])
    expect(checkLayers([layout, testkit, speculation, conformance, plugin])).toEqual([])
    const withPlugin = workspace('packages/explorer', ['accessor-a'])
    expect(checkLayers([layout, plugin, withPlugin]).join()).toContain('explorer stands on')
    expect(
      checkLayers([testkit, layout, speculation, workspace('packages/explorer', ['speculation'])]).join(),
    ).toContain('tests only')
    const ring = workspace('packages/virtqueue', [])
    expect(checkLayers([ring, workspace('packages/testkit', ['virtqueue'])]).join()).toContain('testkit stands on')
  })

  test('finds a cycle through devDependencies, which the build could not order', () => {
    const testkit = workspace('packages/testkit', ['memory'])
    const used = workspace('packages/memory')
    const declared = { ...used, manifest: { ...used.manifest, devDependencies: { '@vring/testkit': '^0.0.0' } } }
    expect(checkLayers([testkit, declared])).toEqual([
      'dependency cycle, which has no build order: @vring/testkit -> @vring/memory -> @vring/testkit',
    ])
  })

  test('refuses a package that has no place in the layers', () => {
    expect(checkLayers([workspace('packages/misc')]).join()).toContain('has no place in the layers')
  })
})
