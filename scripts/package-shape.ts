import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { originOf } from './metadata.ts'
import { type Manifest, readManifest, repositoryRoot, type WorkspacePackage } from './workspace.ts'

/** What the shape check reads beside the manifest; made up in its own test. */
export interface PackageFiles {
  /** Text of a file in the package's folder, or null. */
  read(path: string): string | null
  /** Text of LICENSE at the root. */
  readonly rootLicense: string
  /** Texts of the changesets in .changeset/. */
  readonly changesets: readonly string[]
  /** package.json at the root: it has the repository's address. */
  readonly root: Pick<Manifest, 'repository'>
}

/** The files of a package as they are on disk. */
export function packageFiles({ folder }: WorkspacePackage): PackageFiles {
  const changesets = join(repositoryRoot, '.changeset')
  return {
    read: (path) => readText(join(repositoryRoot, folder, path)),
    rootLicense: readText(join(repositoryRoot, 'LICENSE')) ?? '',
    changesets: readdirSync(changesets)
      .filter((name) => name.endsWith('.md'))
      .map((name) => readFileSync(join(changesets, name), 'utf8')),
    root: readManifest(repositoryRoot),
  }
}

function readText(file: string): string | null {
  return existsSync(file) ? readFileSync(file, 'utf8') : null
}

/** What is missing or wrong in one package, for people; an empty list means that it has the common shape. */
export function checkPackageShape(one: WorkspacePackage, files: PackageFiles): string[] {
  const findings = [
    ...checkManifest(one),
    ...checkLicense(files),
    ...checkReadme(one, files),
    ...(one.manifest.private === true
      ? []
      : [...checkExports(one), ...checkRelease(one, files), ...checkOrigin(one, files)]),
  ]
  return findings.map((finding) => `${one.folder}: ${finding}`)
}

/** The versions of Node whose `require` takes ES modules, and that CI tests. */
const ENGINES = '^20.19 || >=22.12'

/** Packages whose name is not that of their folder. */
const NAMES: Readonly<Record<string, string>> = { 'packages/vring': 'vring' }

/** Words that every package is found by; it has at least one of its own beside them. */
const KEYWORDS = ['virtio', 'vhost', 'virtqueue', 'vring']

function checkManifest({ folder, manifest }: WorkspacePackage): string[] {
  const findings: string[] = []
  const want = (holds: boolean, finding: string): void => {
    if (!holds) findings.push(finding)
  }
  want(
    NAMES[folder] === manifest.name || manifest.name === `@vring/${folder.replace(/^.*\//, '')}`,
    `name is ${manifest.name}, not that of its folder`,
  )
  want(manifest.license === 'Apache-2.0', `license is ${manifest.license}, not Apache-2.0`)
  want(manifest.type === 'module', `type is ${manifest.type}, not module`)
  want(manifest.engines?.['node'] === ENGINES, `engines.node is ${manifest.engines?.['node']}, not ${ENGINES}`)
  want((manifest.description ?? '').endsWith('.'), 'description is not a sentence')
  return findings
}

function checkLicense(files: PackageFiles): string[] {
  const license = files.read('LICENSE')
  if (license === null) return ['LICENSE is missing']
  return license === files.rootLicense ? [] : ["LICENSE differs from the repository's"]
}

/** Sections that each README has; the example is executed by its own test. */
function checkReadme({ manifest }: WorkspacePackage, files: PackageFiles): string[] {
  const readme = files.read('README.md')
  if (readme === null) return ['README.md is missing']
  const findings: string[] = []
  const want = (pattern: RegExp, finding: string): void => {
    if (!pattern.test(readme)) findings.push(`README.md ${finding}`)
  }
  want(new RegExp(`^# ${manifest.name}\n`), 'does not begin with the name of the package')
  want(/when not to use/i, 'does not say when not to use it')
  if (manifest.private !== true) want(/npm install/, 'does not say how to install it')
  if (manifest.private !== true && manifest.bin === undefined) want(/^```ts\n/m, 'has no example (a ```ts block)')
  return findings
}

function checkExports({ manifest }: WorkspacePackage): string[] {
  const findings: string[] = []
  for (const [path, target] of Object.entries(manifest.exports ?? {})) {
    if (path.endsWith('.json')) continue
    const keys = typeof target === 'object' && target !== null ? Object.keys(target) : []
    // Conditions are tried in order: sources first for this repository, types before what runs.
    if (keys.join() !== '@vring/source,types,default')
      findings.push(`exports["${path}"] has conditions ${keys.join(', ')}; wanted: @vring/source, types, default`)
  }
  if (!('./package.json' in (manifest.exports ?? {}))) findings.push('exports lacks ./package.json')
  for (const name of ['dist', 'src', '!src/**/*.test.ts'])
    if (!manifest.files?.includes(name)) findings.push(`files lacks ${name}`)
  return findings
}

function checkRelease({ manifest }: WorkspacePackage, files: PackageFiles): string[] {
  const findings: string[] = []
  if (manifest.publishConfig?.['access'] !== 'public') findings.push('publishConfig.access is not public')
  for (const name of ['build', 'build:types'])
    if (manifest.scripts?.[name] === undefined) findings.push(`has no script ${name}`)
  const named = files.changesets.some(
    (text) => text.includes(`'${manifest.name}'`) || text.includes(`"${manifest.name}"`),
  )
  if (!named && files.read('CHANGELOG.md') === null) findings.push('no changeset names it, and it has no CHANGELOG.md')
  return findings
}

/** Keywords of the field, and where the package comes from: as the root says it. */
function checkOrigin({ folder, manifest }: WorkspacePackage, { root }: PackageFiles): string[] {
  const findings: string[] = []
  const keywords = manifest.keywords ?? []
  const lacking = KEYWORDS.filter((word) => !keywords.includes(word))
  if (lacking.length > 0) findings.push(`keywords lack ${lacking.join(', ')}`)
  if (keywords.length <= KEYWORDS.length) findings.push('keywords has no word of its own')
  const origin = originOf(root, folder)
  for (const field of ['repository', 'homepage', 'bugs'] as const)
    if (!isDeepStrictEqual(manifest[field], origin?.[field]))
      findings.push(`${field} is not what the root's repository makes it: run npm run metadata`)
  return findings
}

/** What else stands against publishing now. */
export function checkPublishable(root: Pick<Manifest, 'repository'>): string[] {
  return originOf(root, '') === null
    ? ["package.json: repository is not set; accepted: the repository's https address, then npm run metadata"]
    : []
}
