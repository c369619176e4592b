import { ACCESSOR_API_VERSION, type AccessorPlugin, isAccessorPlugin } from '@vring/accessor'
import { VringError } from '@vring/layout'

/** Where a plugin's name or path is looked up. */
export interface LoadPluginOptions {
  /** Directory (a `file:` URL that ends in `/`) that relative paths and packages are looked up from. */
  readonly from: string
  /**
   * Turns a package name into the URL of its module, as seen from `from`; the host knows how (Node: its own
   * `node_modules`). Default: the name as it is, which finds packages beside this one.
   */
  readonly resolvePackage?: (name: string, from: string) => string
}

/**
 * Loads an accessor that this repository does not know: a package name, a path (`./`, `../`, `/`) or a `file:` URL of a
 * module whose default export, or export named `accessor`, is the result of `defineAccessor`.
 *
 * Loading runs the module: a plugin is trusted code.
 *
 * @throws VringError ERR_INVALID_PLUGIN with the plugin's name and what is wrong with it
 */
export async function loadPlugin(spec: string, options: LoadPluginOptions): Promise<AccessorPlugin> {
  const invalid = (problem: string, cause?: unknown): VringError =>
    new VringError('ERR_INVALID_PLUGIN', `plugin ${spec}: ${problem}`, {
      field: 'plugin',
      value: spec,
      accepted: 'a module whose default export, or export "accessor", is made by defineAccessor of @vring/accessor',
      cause,
    })
  let loaded: Record<string, unknown>
  try {
    loaded = (await import(/* @vite-ignore */ moduleUrl(spec, options))) as Record<string, unknown>
  } catch (cause) {
    throw invalid(`can't be loaded: ${firstLine(cause)}`, cause)
  }
  const plugin = loaded['default'] ?? loaded['accessor']
  if (plugin === undefined)
    throw invalid(`has neither a default export nor one named accessor; it exports ${list(Object.keys(loaded))}`)
  if (!isAccessorPlugin(plugin)) throw invalid('its export was not made by defineAccessor')
  if (plugin.apiVersion !== ACCESSOR_API_VERSION)
    throw invalid(
      `was written against accessor contract ${plugin.apiVersion}; this release speaks ${ACCESSOR_API_VERSION}`,
    )
  return plugin
}

function moduleUrl(spec: string, { from, resolvePackage }: LoadPluginOptions): string {
  if (/^(\.{0,2}\/|\.{1,2}$)/.test(spec)) return new URL(spec, from).href
  if (/^(file|data|https?|node):/.test(spec)) return spec
  return resolvePackage === undefined ? spec : resolvePackage(spec, from)
}

function firstLine(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause)
  return message.split('\n', 1)[0]!
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'nothing' : names.join(', ')
}
