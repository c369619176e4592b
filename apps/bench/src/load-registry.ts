import { pathToFileURL } from 'node:url'
import { resolvePackage } from '@vring/linux'
import { createRegistry, loadPlugins, type Registry } from '@vring/registry'
import { BASELINE } from './cell-spec.ts'
import { systemBackends } from './system/system-backends.ts'

/**
 * The built-in registry, the bench's own backends, and the accessors and backends of these plugins, looked up from the working
 * directory.
 *
 * @throws VringError ERR_INVALID_PLUGIN
 */
export async function loadRegistry(plugins: readonly string[]): Promise<Registry> {
  const from = pathToFileURL(`${process.cwd()}/`).href
  const registry = createRegistry().with({ backends: systemBackends })
  return await loadPlugins(plugins, registry, { from, resolvePackage, reserved: [BASELINE] })
}
