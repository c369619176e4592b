import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { afterAll } from 'vitest'

const APP = fileURLToPath(new URL('..', import.meta.url))
/** The programs of the package by the names that a build has, and the plugins that tests load. */
const ENTRIES: readonly (readonly [out: string, source: string])[] = [
  ['cli', 'src/cli.ts'],
  ['cell', 'src/cell/cell.ts'],
  ['testpmd-cell', 'src/cell/testpmd-cell.ts'],
  ['peer-cell', 'src/cell/peer-cell.ts'],
  ['driver-thread', 'src/in-process/driver-thread.ts'],
  ['core-worker', 'src/placement/core-worker.ts'],
  ['plugin-code', 'src/plugin-code/plugin-code.ts'],
  ...['watched-process', 'watched-thread'].map(
    (name) => [name, `../../packages/linux/src/processes/${name}.ts`] as const,
  ),
  ...['dies', 'hangs', 'lies', 'own', 'optimised', 'races', 'throws', 'unfinished', 'unreadable', 'victim'].map(
    (name) => [`fixtures/${name}`, `fixtures/${name}.mjs`] as const,
  ),
]

/** What is left of CommonJS in a bundle asks for modules of Node. */
const REQUIRE =
  "import { createRequire as nodeRequire } from 'node:module'; const require = nodeRequire(import.meta.url);"

let folder: string | null = null

/**
 * A file of the sources as they are, bundled once for a file of tests. A run of the bench is half a dozen processes,
 * and each of them takes seconds to read some hundred files of TypeScript.
 *
 * @param out `cli.js`, `fixtures/lies.js`
 */
export function bundled(out: string): string {
  // Where `../package.json` is the package's own.
  folder ??= bundle(join(APP, `.test-${process.pid}`))
  return join(folder, out)
}

function bundle(outdir: string): string {
  buildSync({
    absWorkingDir: APP,
    entryPoints: ENTRIES.map(([out, source]) => ({ out, in: source })),
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    conditions: ['@vring/source'],
    external: ['koffi'],
    banner: { js: REQUIRE },
    logLevel: 'error',
  })
  return outdir
}

afterAll(() => {
  if (folder !== null) rmSync(folder, { recursive: true, force: true })
  folder = null
})
