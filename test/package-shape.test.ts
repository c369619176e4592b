import { describe, expect, test } from 'vitest'
import { originOf } from '../scripts/metadata.ts'
import { checkPackageShape, checkPublishable, type PackageFiles, packageFiles } from '../scripts/package-shape.ts'
import { type Manifest, readWorkspace, type WorkspacePackage } from '../scripts/workspace.ts'

describe('every package of this repository', () => {
  test.each(readWorkspace().map((one) => ({ folder: one.folder, one })))('has the common shape: $folder', ({ one }) => {
    expect(checkPackageShape(one, packageFiles(one))).toEqual([])
  })
})

describe('the shape check', () => {
  const manifest: Manifest = {
    name: '@vring/memory',
    license: 'Apache-2.0',
    type: 'module',
    description: 'Address spaces.',
    engines: { node: '^20.19 || >=22.12' },
    keywords: ['virtio', 'vhost', 'virtqueue', 'vring', 'guest-memory'],
    files: ['dist', 'src', '!src/**/*.test.ts'],
    exports: { '.': { '@vring/source': 's', types: 't', default: 'd' }, './package.json': './package.json' },
    scripts: { build: 'tsup', 'build:types': 'tsc' },
    publishConfig: { access: 'public' },
  }
  const texts: Record<string, string> = {
    LICENSE: 'Apache',
    'README.md': '# @vring/memory\n\nWhen not to use it: never.\n\nnpm install @vring/memory\n\n```ts\n1\n```\n',
  }
  const files: PackageFiles = {
    read: (path) => texts[path] ?? null,
    rootLicense: 'Apache',
    changesets: ["---\n'@vring/memory': minor\n---\n\nWhy.\n"],
    root: {},
  }
  const check = (change: Partial<Manifest>, changedFiles: Partial<PackageFiles> = {}): string[] => {
    const one: WorkspacePackage = { folder: 'packages/memory', manifest: { ...manifest, ...change }, imports: [] }
    return checkPackageShape(one, { ...files, ...changedFiles })
  }
  const without = (name: string): Partial<PackageFiles> => ({
    read: (path) => (path === name ? null : (texts[path] ?? null)),
  })

  test('accepts a package that has it', () => {
    expect(check({})).toEqual([])
  })

  test.each<[string, string[]]>([
    ['LICENSE is missing', check({}, without('LICENSE'))],
    ["LICENSE differs from the repository's", check({}, { rootLicense: 'another' })],
    ['README.md is missing', check({}, without('README.md'))],
    ['README.md does not say when not to use it', check({}, { read: () => '# @vring/memory\nnpm install\n```ts\n' })],
    ['license is MIT, not Apache-2.0', check({ license: 'MIT' })],
    ['name is @vring/memroy, not that of its folder', check({ name: '@vring/memroy' })],
    ['engines.node is undefined, not ^20.19 || >=22.12', check({ engines: {} })],
    ['keywords lack vhost, virtqueue', check({ keywords: ['virtio', 'vring', 'dpdk', 'qemu', 'xdp'] })],
    ['keywords has no word of its own', check({ keywords: ['virtio', 'vhost', 'virtqueue', 'vring'] })],
    [
      "homepage is not what the root's repository makes it: run npm run metadata",
      check({}, { root: { repository: 'https://example.com/vring' } }),
    ],
    ['no changeset names it, and it has no CHANGELOG.md', check({}, { changesets: [] })],
    ['exports lacks ./package.json', check({ exports: { '.': manifest.exports!['.'] } })],
    [
      'exports["."] has conditions types, default; wanted: @vring/source, types, default',
      check({ exports: { ...manifest.exports, '.': { types: 't', default: 'd' } } }),
    ],
    ['files lacks !src/**/*.test.ts', check({ files: ['dist', 'src'] })],
    ['publishConfig.access is not public', check({ publishConfig: {} })],
    ['has no script build:types', check({ scripts: { build: 'tsup' } })],
  ])('reports: %s', (finding, findings) => {
    expect(findings).toContain(`packages/memory: ${finding}`)
  })

  test('takes the origin of every package from the one address of the root', () => {
    const root = { repository: 'https://example.com/vring' }
    expect(originOf(root, 'packages/memory')).toEqual({
      repository: { type: 'git', url: 'git+https://example.com/vring.git', directory: 'packages/memory' },
      homepage: 'https://example.com/vring/tree/main/packages/memory#readme',
      bugs: 'https://example.com/vring/issues',
    })
    expect(check(originOf(root, 'packages/memory')!, { root })).toEqual([])
  })

  test('refuses to publish without an address', () => {
    expect(checkPublishable({})[0]).toMatch(/repository is not set/)
    expect(checkPublishable({ repository: 'https://example.com/vring' })).toEqual([])
  })

  test('asks a private package for its licence and README only', () => {
    expect(check({ private: true, exports: {}, publishConfig: {} }, { changesets: [] })).toEqual([])
  })
})
