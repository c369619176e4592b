import { mkdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Plugin, transform } from 'esbuild'
import { createInstrumenter } from 'istanbul-lib-instrument'
import { repositoryRoot } from '../../scripts/workspace.ts'
import { COUNTERS_NAME, EDGES_MAX } from './edge-map.ts'

/** Sources whose edges are counted: everything that ships. */
const COUNTED = /\/(?:packages|apps)\/[^/]+\/src\/.*\.ts$/

/** A target's bundle, with a counter at each statement, function and branch of the code that ships. */
export interface Instrumented {
  /** An ES module that exports `target`. */
  readonly file: string
  /** Counters that it needs in `globalThis[COUNTERS_NAME]`. */
  readonly edges: number
}

/**
 * Bundles a target. istanbul-lib-instrument says where code branches; its counters, a call and two look-ups each, become
 * elements of one typed array.
 *
 * @param name of a module in `fuzz/targets`
 * @param counted false: without counters, as a test replays it
 */
export async function instrument(name: string, counted = true): Promise<Instrumented> {
  const counters = new EdgeCounters(counted)
  const file = await bundle(`fuzz/targets/${name}.ts`, counters)
  if (counters.count > EDGES_MAX) throw new Error(`${name} has ${counters.count} edges; raise EDGES_MAX`)
  return { file, edges: counters.count }
}

/** One of our modules with all of ours that it needs, as JavaScript: threads start from files that Node can read. */
export async function bundle(module: string, counters: EdgeCounters = new EdgeCounters(false)): Promise<string> {
  const folder = join(repositoryRoot, 'node_modules/.cache/vring-fuzz')
  mkdirSync(folder, { recursive: true })
  const outfile = join(folder, `${basename(module, '.ts')}.mjs`)
  await build({
    entryPoints: [join(repositoryRoot, module)],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    conditions: ['@vring/source'],
    sourcemap: 'inline',
    plugins: [externalDependencies, counters.plugin],
    banner: { js: `const ${COUNTERS_NAME} = globalThis.${COUNTERS_NAME};` },
    logLevel: 'error',
  })
  return outfile
}

/** Bundles our packages and leaves others where they are. */
const externalDependencies: Plugin = {
  name: 'external-dependencies',
  setup(bundler) {
    bundler.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === 'entry-point' || path.startsWith('@vring/') ? null : { path, external: true },
    )
  },
}

/**
 * Numbers the edges of counted sources; each of our modules also learns where it stands, which a bundle would make it
 * forget.
 */
class EdgeCounters {
  count = 0
  readonly #counted: boolean
  readonly #instrumenter = createInstrumenter({ esModules: true, compact: false, produceSourceMap: false })

  constructor(counted: boolean) {
    this.#counted = counted
  }

  readonly plugin: Plugin = {
    name: 'edge-counters',
    setup: (bundler) => {
      bundler.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const { code } = await transform(readFileSync(path, 'utf8'), {
          loader: 'ts',
          target: 'node20',
          define: {
            'import.meta.url': JSON.stringify(pathToFileURL(path).href),
            'import.meta.dirname': JSON.stringify(dirname(path)),
          },
        })
        const counts = this.#counted && COUNTED.test(path)
        return { contents: counts ? this.#number(this.#instrumenter.instrumentSync(code, path)) : code, loader: 'js' }
      })
    },
  }

  /** `cov_x().s[3]++` and its kind become `counters[17]++`; the table they stood in, and its first use, go. */
  #number(code: string): string {
    const numbers = new Map<string, number>()
    return code
      .replace(/^function cov_\w+\(\) \{[\s\S]*?^\}\n^cov_\w+\(\);?$/m, '')
      .replaceAll(/\bcov_\w+\(\)\.(s\[\d+\]|f\[\d+\]|b\[\d+\]\[\d+\])\+\+/g, (_, place: string) => {
        let number = numbers.get(place)
        if (number === undefined) {
          number = this.count++
          numbers.set(place, number)
        }
        return `${COUNTERS_NAME}[${number}]++`
      })
  }
}
