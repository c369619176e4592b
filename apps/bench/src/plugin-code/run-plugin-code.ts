import { runWatched, type WatchedEnd, type WatchedOptions } from '@vring/linux'

/** Calls a function of `plugin-code.ts` in a process that is ended when it is late. */
export function runPluginCode(
  name: 'examine' | 'command',
  argument: unknown,
  options: WatchedOptions,
): Promise<WatchedEnd> {
  const entry = import.meta.url.endsWith('.ts') ? './plugin-code.ts' : './plugin-code.js'
  return runWatched({ module: new URL(entry, import.meta.url).href, name, argument }, options)
}
