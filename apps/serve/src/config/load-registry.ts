import { pathToFileURL } from 'node:url'
import { resolvePackage, tryModule } from '@vring/linux'
import { createRegistry, type LoadPluginsOptions, loadPlugins, type Registry } from '@vring/registry'
import { startError } from '../serve-error.ts'
import { FORMS } from './backend-spec.ts'

const BUILT_IN = createRegistry()
const BACKENDS = new Set(BUILT_IN.backends.map(({ name }) => name))

/** Names of the backends that plugins added. */
export function pluginBackends({ backends }: Registry): string[] {
  return backends.map(({ name }) => name).filter((name) => !BACKENDS.has(name))
}

/**
 * The built-in registry with these plugins, none of which takes a name that `--backend` knows. Each module is tried first in a
 * process of its own: one that never returns would hold the daemon.
 *
 * @throws ServeError naming --plugin
 */
export async function loadRegistry(plugins: readonly string[]): Promise<Registry> {
  return await load(plugins, { tryModule })
}

/** The same in a thread of a daemon that has tried the modules. */
export async function loadTried(plugins: readonly string[]): Promise<Registry> {
  return await load(plugins, {})
}

async function load(plugins: readonly string[], more: Pick<LoadPluginsOptions, 'tryModule'>): Promise<Registry> {
  const from = pathToFileURL(`${process.cwd()}/`).href
  try {
    return await loadPlugins(plugins, BUILT_IN, { from, resolvePackage, reserved: Object.keys(FORMS), ...more })
  } catch (error) {
    throw startError('--plugin', error)
  }
}
