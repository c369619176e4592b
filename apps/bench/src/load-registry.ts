import { pathToFileURL } from 'node:url'
import { resolvePackage, tryModule } from '@vring/linux'
import { createRegistry, type LoadPluginsOptions, loadPlugins, type Registry } from '@vring/registry'
import { BASELINE } from './cell/cell-spec.ts'
import { systemBackends } from './system/system-backends.ts'

const BUILT_IN = createRegistry().with({ backends: systemBackends })
const BUILT_IN_NAMES = {
  accessor: new Set([BASELINE, ...BUILT_IN.accessors.map(({ name }) => name)]),
  backend: new Set(BUILT_IN.backends.map(({ name }) => name)),
}

/** Does this repository test it? Else it is of a plugin. */
export function isBuiltIn(kind: 'accessor' | 'backend', name: string): boolean {
  return BUILT_IN_NAMES[kind].has(name)
}

/**
 * The built-in registry, the bench's own backends, and the accessors and backends of these plugins, looked up from the
 * working directory. Each module is tried first in a process of its own.
 *
 * @throws VringError ERR_INVALID_PLUGIN
 */
export async function loadRegistry(plugins: readonly string[]): Promise<Registry> {
  return await load(plugins, { tryModule })
}

/** The same in a process that a command started after it had tried the modules, and ends when it is late. */
export async function loadTried(plugins: readonly string[]): Promise<Registry> {
  return await load(plugins, {})
}

async function load(plugins: readonly string[], more: Pick<LoadPluginsOptions, 'tryModule'>): Promise<Registry> {
  const from = pathToFileURL(`${process.cwd()}/`).href
  return await loadPlugins(plugins, BUILT_IN, { from, resolvePackage, reserved: [BASELINE], ...more })
}
