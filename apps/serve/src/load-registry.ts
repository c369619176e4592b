import { pathToFileURL } from 'node:url'
import { resolvePackage } from '@vring/linux'
import { createRegistry, loadPlugin, type Registry } from '@vring/registry'
import { startError } from './serve-error.ts'

/**
 * The built-in registry with these plugins.
 *
 * @throws ServeError naming --plugin
 */
export async function loadRegistry(plugins: readonly string[]): Promise<Registry> {
  const from = pathToFileURL(`${process.cwd()}/`).href
  try {
    const accessors = await Promise.all(plugins.map((spec) => loadPlugin(spec, { from, resolvePackage })))
    return createRegistry().with({ accessors })
  } catch (error) {
    throw startError('--plugin', error)
  }
}
