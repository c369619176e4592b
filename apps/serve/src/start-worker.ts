import { type MessagePort, type Transferable, Worker } from 'node:worker_threads'
import type { WorkerSettings } from './protocol.ts'

/** Starts the worker thread of a network device. */
export function startWorker(workerData: WorkerSettings): Worker {
  const { seat } = workerData
  const links = seat.kind === 'home' ? [seat.commands, ...seat.followers.map(({ port }) => port)] : [seat.end.port]
  return startThread('worker', workerData, links as MessagePort[])
}

/** Starts a thread of this program: the built one, or from its sources where this module runs from them. */
export function startThread(
  name: 'worker' | 'block-worker',
  workerData: unknown,
  transferList: Transferable[] = [],
): Worker {
  if (!import.meta.url.endsWith('.ts'))
    return new Worker(new URL(`./${name}.js`, import.meta.url), { workerData, transferList })
  // The entry of a worker is loaded without the hooks of `--import tsx` on Node 20: they are installed first.
  const tsx = import.meta.resolve('tsx/esm/api')
  const entry = new URL(`./${name}.ts`, import.meta.url).href
  const load = `import('${tsx}').then(({ register }) => { register(); return import('${entry}') })`
  return new Worker(load, { workerData, transferList, eval: true })
}
