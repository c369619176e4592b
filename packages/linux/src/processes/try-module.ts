import { runWatched, whereItStands } from './run-watched.ts'

/**
 * Imports a module in another process and reads the properties of what it exports, within a limit: a getter may not
 * return. What throws there will throw here too, and can be told better.
 *
 * @param url of the module
 * @param limitMs how long it may take
 * @returns why it must not be imported here, and where it stands; null where it comes to an end
 */
export async function tryModule(url: string, limitMs: number): Promise<string | null> {
  const end = await runWatched({ module: url, name: null, argument: null }, { limitMs })
  if (end.kind === 'late') return `is not loaded after ${limitMs} ms: ${whereItStands(end)}`
  return end.kind === 'ended' ? `does not load: ${end.how}` : null
}
