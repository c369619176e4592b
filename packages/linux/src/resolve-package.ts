import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/**
 * Finds the module of a package as `import` in a module of the directory `from` would. Plugins named on a command line
 * are looked up by it.
 *
 * @param name package, or subpath of one
 * @param from directory, a `file:` URL that ends in `/`
 * @returns `file:` URL of the module
 * @throws Error of Node's own (`MODULE_NOT_FOUND`, `ERR_PACKAGE_PATH_NOT_EXPORTED`), or one that says how a path is written
 *   where a file of that name is
 */
export function resolvePackage(name: string, from: string): string {
  try {
    return pathToFileURL(createRequire(new URL('package.json', from)).resolve(name)).href
  } catch (error) {
    // require() does not see packages that are exported under the condition "import" alone.
    const unseen = (error as NodeJS.ErrnoException).code === 'ERR_PACKAGE_PATH_NOT_EXPORTED'
    const entry = unseen ? importEntry(name, from) : null
    if (entry !== null) return entry
    if (existsSync(join(fileURLToPath(from), name)))
      throw new Error(`no package is named ${name}, but a file is there: ./${name}`, { cause: error })
    throw error
  }
}

/** The main module of the nearest package of this name, or null. */
function importEntry(name: string, from: string): string | null {
  for (let directory = fileURLToPath(from); ; directory = dirname(directory)) {
    const root = join(directory, 'node_modules', name)
    if (existsSync(join(root, 'package.json'))) {
      const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { exports?: unknown }
      const target = importTarget(manifest.exports)
      return target === null ? null : pathToFileURL(join(root, target)).href
    }
    if (directory === dirname(directory)) return null
  }
}

/** The file that the conditions "import", "node" and "default" lead to. */
function importTarget(exports: unknown): string | null {
  if (typeof exports === 'string') return exports
  if (typeof exports !== 'object' || exports === null) return null
  const conditions = exports as Readonly<Record<string, unknown>>
  for (const key of ['.', 'import', 'node', 'default']) {
    const target = key in conditions ? importTarget(conditions[key]) : null
    if (target !== null) return target
  }
  return null
}
