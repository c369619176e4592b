import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Options } from 'tsup'

type EsbuildPlugin = NonNullable<Options['esbuildPlugins']>[number]

/** Stands in a package's dist/ beside what was bundled. */
export const LICENSES_FILE = 'THIRD-PARTY-LICENSES.txt'

const RULE = `\n${'-'.repeat(78)}\n\n`

/** Writes names, versions and licences of the libraries whose code a build has put into the package's own files. */
export function bundledLicenses(): EsbuildPlugin {
  return {
    name: 'bundled-licenses',
    setup(build) {
      build.initialOptions.metafile = true
      build.onEnd(({ metafile, errors }) => {
        if (metafile === undefined || errors.length > 0) return
        const file = join(build.initialOptions.outdir ?? 'dist', LICENSES_FILE)
        const written = new Set(Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs)))
        const found = [...new Set([...written].map((input) => folderOf(input)))].flatMap(sectionsOf)
        // A package that builds in several ways writes one list.
        const sections = [...new Set([...found, ...(existsSync(file) ? readSections(file) : [])])].sort()
        if (sections.length === 0) return
        mkdirSync(dirname(file), { recursive: true })
        writeFileSync(file, sections.join(RULE))
      })
    },
  }
}

function readSections(file: string): string[] {
  return readFileSync(file, 'utf8').split(RULE)
}

/** The folder of the package that a file belongs to. */
function folderOf(file: string): string {
  let folder = dirname(file)
  const isPackage = (): boolean => {
    const manifest = join(folder, 'package.json')
    return existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name !== undefined
  }
  while (!isPackage() && dirname(folder) !== folder) folder = dirname(folder)
  return folder
}

/** Of a library its own licence; of a package of this repository those of the libraries that are in it already. */
function sectionsOf(folder: string): string[] {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  if (name.startsWith('@vring/') || name === 'vring') {
    const nested = join(folder, 'dist', LICENSES_FILE)
    return existsSync(nested) ? readSections(nested) : []
  }
  const text = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one))
  if (text === undefined) throw new Error(`${name} is bundled, and its package has no text of its licence`)
  return [`${name} ${version} (${license})\n\n${readFileSync(join(folder, text), 'utf8').trim()}\n`]
}
