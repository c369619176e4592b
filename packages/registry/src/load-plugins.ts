import { invalidPlugin, type LoadPluginOptions, loadPlugin } from './load-plugin.ts'
import type { Registry } from './registry.ts'

export interface LoadPluginsOptions extends LoadPluginOptions {
  /** Names that no plugin may have beside those of the registry: what the program calls something else. */
  readonly reserved?: readonly string[]
}

/**
 * A registry with these plugins, accessors and backends alike, in their order.
 *
 * A plugin never takes the name of what is there: `copy-checked` in a table of results is the one that this repository
 * tests.
 *
 * @throws VringError ERR_INVALID_PLUGIN with the plugin's specifier, for one that can't be loaded or whose name is taken
 */
export async function loadPlugins(
  specs: readonly string[],
  registry: Registry,
  options: LoadPluginsOptions,
): Promise<Registry> {
  const loaded = await Promise.all(specs.map((spec) => loadPlugin(spec, options)))
  const owners = {
    accessor: ownersOf(registry.accessors, options.reserved),
    backend: ownersOf(registry.backends, options.reserved),
  }
  for (const [index, plugin] of loaded.entries()) {
    const spec = specs[index]!
    const { name } = plugin.kind === 'accessor' ? plugin.accessor : plugin.backend
    const owner = owners[plugin.kind].get(name)
    if (owner !== undefined) throw invalidPlugin(spec, `its name, ${name}, is that of ${owner}; accepted: another name`)
    owners[plugin.kind].set(name, `plugin ${spec}`)
  }
  return registry.with({
    accessors: loaded.flatMap((one) => (one.kind === 'accessor' ? [one.accessor] : [])),
    backends: loaded.flatMap((one) => (one.kind === 'backend' ? [one.backend] : [])),
  })
}

function ownersOf(parts: readonly { readonly name: string }[], reserved: readonly string[] = []): Map<string, string> {
  return new Map([
    ...reserved.map((name) => [name, 'one that the program has itself'] as const),
    ...parts.map(({ name }) => [name, 'a built-in one'] as const),
  ])
}
