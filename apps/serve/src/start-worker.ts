import { Worker } from 'node:worker_threads'
import type { WorkerSettings } from './protocol.ts'

/** Starts the worker thread: the built one, or from its sources where this module runs from them. */
export function startWorker(workerData: WorkerSettings): Worker {
  const transferList = [workerData.commands]
  if (!import.meta.url.endsWith('.ts'))
    return new Worker(new URL('./worker.js', import.meta.url), { workerData, transferList })
  // The entry of a worker is loaded without the hooks of `--import tsx` on Node 20: they are installed first.
  const tsx = import.meta.resolve('tsx/esm/api')
  const entry = new URL('./worker.ts', import.meta.url).href
  const load = `import('${tsx}').then(({ register }) => { register(); return import('${entry}') })`
  return new Worker(load, { workerData, transferList, eval: true })
}
