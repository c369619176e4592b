import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { compileFunction } from 'node:vm'
import { type BuildContext, context, type Plugin } from 'esbuild'
import type { RingEdit } from './ring-mutant.ts'

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))
const VIRTQUEUE_SOURCE = `${REPOSITORY}packages/virtqueue/src/`

/** Modules that a bundle shares with its loader, by name. */
export type SharedModules = Readonly<Record<string, unknown>>

/**
 * Loads modules of the repository over a `virtqueue` that differs from the shipped source by some edits. Nothing is written
 * to disk; what is not shared is bundled from source, an instance for each load.
 */
export class MutatedModules<T> {
  readonly #shared: SharedModules
  readonly #bundles: BuildContext
  readonly #sources: Map<string, string>

  private constructor(shared: SharedModules, bundles: BuildContext, sources: Map<string, string>) {
    this.#shared = shared
    this.#bundles = bundles
    this.#sources = sources
  }

  /** @param entry source of a module whose exports are loaded; its imports are relative to the repository */
  static async of<T>(entry: string, shared: SharedModules): Promise<MutatedModules<T>> {
    const sources = new Map<string, string>()
    const bundles = await context({
      stdin: { contents: entry, resolveDir: REPOSITORY, loader: 'ts' },
      bundle: true,
      write: false,
      format: 'cjs',
      platform: 'node',
      conditions: ['@vring/source'],
      // Packages say that they have no side effects; files of tests have.
      ignoreAnnotations: true,
      logLevel: 'silent',
      plugins: [sharing(shared), replacing(sources)],
    })
    return new MutatedModules<T>(shared, bundles, sources)
  }

  /**
   * The JavaScript of a bundle.
   *
   * @throws Error when the text of an edit does not occur exactly once
   */
  async bundle(file: string | null, edits: readonly RingEdit[]): Promise<string> {
    this.#sources.clear()
    if (file !== null) this.#sources.set(VIRTQUEUE_SOURCE + file, mutatedSource(file, edits))
    const { outputFiles } = await this.#bundles.rebuild()
    return outputFiles![0]!.text
  }

  /** @param filename what V8 calls the bundle */
  run(bundle: string, filename: string): T {
    const module = { exports: {} }
    const require = (name: string): unknown => this.#shared[name]
    compileFunction(bundle, ['module', 'exports', 'require'], { filename })(module, module.exports, require)
    return module.exports as T
  }

  close(): Promise<void> {
    return this.#bundles.dispose()
  }
}

/**
 * A file of `virtqueue` with edits.
 *
 * @throws Error when the text of an edit does not occur exactly once
 */
export function mutatedSource(file: string, edits: readonly RingEdit[]): string {
  let text = shippedSource(file)
  for (const [from, to] of edits) {
    const places = text.split(from).length - 1
    if (places !== 1) throw new Error(`${file}: the text of a mutant occurs ${places} times, expected once: ${from}`)
    text = text.replace(from, () => to)
  }
  return text
}

/** A file of `virtqueue`, by its path below `src`. */
export function shippedSource(file: string): string {
  return readFileSync(VIRTQUEUE_SOURCE + file, 'utf8')
}

function sharing(shared: SharedModules): Plugin {
  return {
    name: 'shared',
    setup(build) {
      build.onResolve({ filter: /^[^./]/ }, ({ path }) => (path in shared ? { path, external: true } : null))
    },
  }
}

function replacing(sources: ReadonlyMap<string, string>): Plugin {
  return {
    name: 'mutant',
    setup(build) {
      build.onLoad({ filter: /packages\/virtqueue\/src\/.*\.ts$/ }, ({ path }) => ({
        contents: sources.get(path) ?? readFileSync(path, 'utf8'),
        loader: 'ts',
      }))
    },
  }
}
