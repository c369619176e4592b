import { Worker, type WorkerOptions } from 'node:worker_threads'

/**
 * Starts a thread of this program. From sources it is told first how to read TypeScript: Node's hooks of this thread do not
 * reach another one.
 *
 * @param entry URL of its module, `.ts` or as built
 */
export function startThread(entry: URL, options: WorkerOptions): Worker {
  if (!entry.pathname.endsWith('.ts')) return new Worker(entry, options)
  const tsx = import.meta.resolve('tsx/esm/api')
  const load = `import('${tsx}').then(({ register }) => { register(); return import('${entry.href}') })`
  return new Worker(load, { ...options, eval: true })
}
