import { pathToFileURL } from 'node:url'
import { type AccessorPlugin, defineAccessor } from '@vring/accessor'
import { isVringError } from '@vring/layout'
import { resolvePackage } from '@vring/linux'
import { createRegistry, loadPlugin, type Registry } from '@vring/registry'
import { firstLine } from './accessor-code.ts'
import { usageError } from './bench-error.ts'
import { systemBackends } from './system/system-backends.ts'

/**
 * The built-in registry, the bench's own backends, and the accessors of these plugins, looked up from the working
 * directory.
 *
 * @throws VringError ERR_INVALID_PLUGIN, BenchError with exit code 2
 */
export async function loadRegistry(plugins: readonly string[]): Promise<Registry> {
  const from = pathToFileURL(`${process.cwd()}/`).href
  const accessors = await Promise.all(
    plugins.map(async (spec) => described(spec, await loadPlugin(spec, { from, resolvePackage }))),
  )
  return createRegistry().with({ accessors, backends: systemBackends })
}

/** A plugin with its description read once, and found whole: anybody can put the mark of one on an object. */
function described(spec: string, plugin: AccessorPlugin): AccessorPlugin {
  try {
    return defineAccessor(plugin)
  } catch (error) {
    if (isVringError(error)) throw error
    throw usageError('--plugin', `${spec} throws: ${firstLine(error)}; accepted: an accessor made by defineAccessor`)
  }
}
