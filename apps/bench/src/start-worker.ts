import { Worker } from 'node:worker_threads'

/**
 * Starts a thread that does not keep the process alive. From sources it has to be told how to read TypeScript: Node's hooks of
 * this thread do not reach it.
 *
 * @param url of its module, `.ts` or as built
 */
export function startWorker(url: URL, workerData: unknown): Worker {
  const worker = url.pathname.endsWith('.ts')
    ? new Worker(`import('tsx/esm/api').then((tsx) => { tsx.register(); return import('${url.href}') })`, {
        eval: true,
        workerData,
      })
    : new Worker(url, { workerData })
  worker.unref()
  return worker
}
