import { parentPort, workerData } from 'node:worker_threads'
import { readProperties } from './read-properties.ts'
import type { WatchedCall, WatchedEnd } from './run-watched.ts'

/** The thread that a module is imported in, and its export called: see `runWatched`. */
const { module, name, argument } = workerData as WatchedCall
const tell = (end: WatchedEnd | 'begun'): void => parentPort!.postMessage(end)
tell('begun')
try {
  const exported = (await import(module)) as Readonly<Record<string, (argument: unknown) => unknown>>
  // A module that is only tried: who imports it reads its exports next.
  if (name === null) readProperties(exported)
  tell({ kind: 'returned', value: name === null ? null : await exported[name]!(argument) })
} catch (error) {
  tell({ kind: 'threw', error: error instanceof Error ? error.message || error.name : String(error) })
}
