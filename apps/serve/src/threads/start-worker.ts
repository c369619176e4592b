import { type MessagePort, type Transferable, Worker } from 'node:worker_threads'
import { startThread, threadStack, whereItStands } from '@vring/linux'
import { EXIT_USAGE } from '../exit-codes.ts'
import type { WorkerMessage, WorkerSettings } from './protocol.ts'

/** How long the backend of a plugin may take to set itself up, in ms. */
const SET_UP_MS = 10_000
/** How late V8 may be with where its thread stands, in ms. */
const STACK_PATIENCE_MS = 1000
/** Modules that threads run, where their sources are; a build is flat. */
const SOURCES = { worker: './worker.ts', 'block-worker': '../block/block-worker.ts' } as const
let started = 0

/** Starts the worker thread of a network device. */
export function startWorker(workerData: WorkerSettings): Worker {
  const { seat } = workerData
  const links = seat.kind === 'home' ? [seat.commands, ...seat.followers.map(({ port }) => port)] : [seat.end.port]
  const worker = startNamedThread('worker', workerData, links as MessagePort[])
  if (workerData.datapath.kind === 'plugin') watchSetUp(worker)
  return worker
}

/** A backend that never comes to an end in `create` would hear of no signal: its thread is ended, and told by where it stands. */
function watchSetUp(worker: Worker): void {
  const name = threadName(started)
  const timer = setTimeout(async () => {
    const where = whereItStands(await threadStack(name, STACK_PATIENCE_MS))
    const message = `--backend: its plugin is not set up after ${SET_UP_MS / 1000} s: it ${where}`
    worker.emit('message', { type: 'failed', exitCode: EXIT_USAGE, message } satisfies WorkerMessage)
    await worker.terminate()
  }, SET_UP_MS)
  const done = (): void => clearTimeout(timer)
  worker.once('message', done).once('exit', done)
}

function threadName(number: number): string {
  return `vring-thread-${number}`
}

/** Starts a thread of this program by the name of its module. */
export function startNamedThread(
  name: keyof typeof SOURCES,
  workerData: unknown,
  transferList: Transferable[] = [],
): Worker {
  const entry = new URL(import.meta.url.endsWith('.ts') ? SOURCES[name] : `./${name}.js`, import.meta.url)
  return startThread(Worker, entry, { name: threadName(++started), workerData, transferList })
}
