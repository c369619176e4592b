import { pathToFileURL } from 'node:url'
import { resolvePackage } from '@vring/linux'
import { createRegistry, loadPlugins, type Registry } from '@vring/registry'
import { FORMS } from './backend-spec.ts'
import { startError } from './serve-error.ts'

const BUILT_IN = createRegistry()
const BACKENDS = new Set(BUILT_IN.backends.map(({ name }) => name))

/** Names of the backends that plugins added. */
export function pluginBackends({ backends }: Registry): string[] {
  return backends.map(({ name }) => name).filter((name) => !BACKENDS.has(name))
}

/**
 * The built-in registry with these plugins, none of which takes a name that `--backend` knows.
 *
 * @throws ServeError naming --plugin
 */
export async function loadRegistry(plugins: readonly string[]): Promise<Registry> {
  const from = pathToFileURL(`${process.cwd()}/`).href
  try {
    return await loadPlugins(plugins, BUILT_IN, { from, resolvePackage, reserved: Object.keys(FORMS) })
  } catch (error) {
    throw startError('--plugin', error)
  }
}
