import { pathToFileURL } from 'node:url'
import { resolvePackage } from '@vring/linux'
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
