import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { createRegistry, loadPlugin, type Registry } from '@vring/registry'
import { systemBackends } from './system/system-backends.ts'

/**
 * The built-in registry, the bench's own backends, and the accessors of these plugins, looked up from the working
 * directory.
 *
 * @throws VringError ERR_INVALID_PLUGIN
 */
export async function loadRegistry(plugins: readonly string[]): Promise<Registry> {
  const from = pathToFileURL(`${process.cwd()}/`).href
  const accessors = await Promise.all(plugins.map((spec) => loadPlugin(spec, { from, resolvePackage })))
  return createRegistry().with({ accessors, backends: systemBackends })
}

/** Finds a package as `import` in a module of the directory `from` would. */
function resolvePackage(name: string, from: string): string {
  try {
    return pathToFileURL(createRequire(new URL('package.json', from)).resolve(name)).href
  } catch (error) {
    // require() does not see packages that are exported under the condition "import" alone.
    const entry =
      (error as { code?: unknown }).code === 'ERR_PACKAGE_PATH_NOT_EXPORTED' ? importEntry(name, from) : null
    if (entry !== null) return entry
    throw error
  }
}

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

/** The file that the conditions "import" and "default" lead to. */
function importTarget(exports: unknown): string | null {
  if (typeof exports === 'string') return exports
  if (typeof exports !== 'object' || exports === null) return null
  const conditions = exports as Record<string, unknown>
  for (const key of ['.', 'import', 'node', 'default']) {
    const target = key in conditions ? importTarget(conditions[key]) : null
    if (target !== null) return target
  }
  return null
}
