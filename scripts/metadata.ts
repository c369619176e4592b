import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Manifest, readManifest, readWorkspace, repositoryRoot } from './workspace.ts'

/** The fields of a package.json that say where it comes from. */
export interface Origin {
  readonly repository: { readonly type: 'git'; readonly url: string; readonly directory: string }
  readonly homepage: string
  readonly bugs: string
}

/**
 * Where a package comes from, by the one place that knows it: `repository` of the root's package.json, an https address.
 *
 * @returns null while that is not set
 */
export function originOf({ repository }: Pick<Manifest, 'repository'>, folder: string): Origin | null {
  if (typeof repository !== 'string' || !repository.startsWith('https://')) return null
  const address = repository.replace(/\.git$/, '')
  return {
    repository: { type: 'git', url: `git+${address}.git`, directory: folder },
    homepage: `${address}/tree/main/${folder}#readme`,
    bugs: `${address}/issues`,
  }
}

/** `npm run metadata`: writes the fields into every public package, or takes them out while there is no address. */
function writeOrigins(): void {
  const root = readManifest(repositoryRoot)
  for (const { folder, manifest } of readWorkspace()) {
    if (manifest.private === true) continue
    const file = join(repositoryRoot, folder, 'package.json')
    const { repository: _r, homepage: _h, bugs: _b, ...rest } = JSON.parse(readFileSync(file, 'utf8'))
    const { name, version, description, ...others } = rest
    const fields = { name, version, description, ...(originOf(root, folder) ?? {}), ...others }
    writeFileSync(file, `${JSON.stringify(fields, null, 2)}\n`)
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) writeOrigins()
