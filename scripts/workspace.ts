import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ImportSite, importsOf } from './imports.ts'

/** Absolute path of the repository. */
export const repositoryRoot: string = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '')

/** The fields of a package.json that the checks read. */
export interface Manifest {
  readonly name: string
  readonly version?: string
  readonly private?: boolean
  readonly license?: string
  readonly description?: string
  readonly keywords?: readonly string[]
  /** The root's: an https address. A package's: see `Origin` in metadata.ts. */
  readonly repository?: unknown
  readonly homepage?: string
  readonly bugs?: string
  readonly type?: string
  readonly sideEffects?: boolean | readonly string[]
  readonly files?: readonly string[]
  readonly bin?: string | Readonly<Record<string, string>>
  readonly exports?: Readonly<Record<string, unknown>>
  readonly engines?: Readonly<Record<string, string>>
  readonly scripts?: Readonly<Record<string, string>>
  readonly publishConfig?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** One workspace: a folder with a package.json, and every import of its sources. */
export interface WorkspacePackage {
  /** Relative to the repository: `packages/memory`, `apps/bench`. */
  readonly folder: string
  readonly manifest: Manifest
  readonly imports: readonly ImportSite[]
}

/** Every workspace under packages/ and apps/, sorted by folder. */
export function readWorkspace(root: string = repositoryRoot): WorkspacePackage[] {
  return workspaceFolders(root).map((folder) => ({
    folder,
    manifest: readManifest(join(root, folder)),
    imports: sourceFiles(join(root, folder, 'src')).flatMap((file) =>
      importsOf(relative(root, file), readFileSync(file, 'utf8')),
    ),
  }))
}

/** The package.json of a folder. */
export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}

function workspaceFolders(root: string): string[] {
  return ['packages', 'apps']
    .filter((parent) => existsSync(join(root, parent)))
    .flatMap((parent) => readdirSync(join(root, parent)).map((name) => `${parent}/${name}`))
    .filter((folder) => existsSync(join(root, folder, 'package.json')))
    .sort()
}

function sourceFiles(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.[cm]?[jt]sx?$/.test(name))
    .map((name) => join(folder, name))
    .sort()
}
