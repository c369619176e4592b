import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { repositoryRoot } from '../scripts/workspace.ts'
import type { Fault, Mutant } from './fault.ts'

let made = 0

/**
 * The fault of a module in `cases/`, over sources of which one is changed as the mutant says.
 *
 * @throws Error when the text to change does not stand in its file exactly once
 */
export async function mutated(module: string, { file, from, to }: Mutant): Promise<Fault> {
  const path = join(repositoryRoot, file)
  const parts = readFileSync(path, 'utf8').split(from)
  if (parts.length !== 2) throw new Error(`${file}: the mutant's text stands there ${parts.length - 1} times, not once`)
  const folder = join(repositoryRoot, 'node_modules/.cache/vring-faults')
  mkdirSync(folder, { recursive: true })
  const outfile = join(folder, `${module}-${process.pid}-${made++}.mjs`)
  let loaded = false
  await build({
    entryPoints: [join(repositoryRoot, 'faults/cases', `${module}.ts`)],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    conditions: ['@vring/source'],
    logLevel: 'error',
    plugins: [
      {
        name: 'mutant',
        setup(bundler) {
          bundler.onLoad({ filter: /\.ts$/ }, ({ path: other }) => {
            if (other !== path) return null
            loaded = true
            return { contents: parts.join(to), loader: 'ts' }
          })
        },
      },
    ],
  })
  if (!loaded) throw new Error(`${file} is no part of what cases/${module}.ts runs`)
  return ((await import(pathToFileURL(outfile).href)) as { readonly fault: Fault }).fault
}
