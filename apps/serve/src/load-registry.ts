import { pathToFileURL } from 'node:url'
import { resolvePackage } from '@vring/linux'
import { createRegistry, loadPlugins, type Registry } from '@vring/registry'
import { startError } from './serve-error.ts'

/**
 * The built-in registry with these plugins.
 *
 * @throws ServeError naming --plugin
 */
export async function loadRegistry(plugins: readonly string[]): Promise<Registry> {
  const from = pathToFileURL(`${process.cwd()}/`).href
  try {
    return await loadPlugins(plugins, createRegistry(), { from, resolvePackage })
  } catch (error) {
    throw startError('--plugin', error)
  }
}
