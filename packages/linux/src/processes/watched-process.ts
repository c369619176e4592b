import { Worker } from 'node:worker_threads'
import type { WatchedEnd, WatchedRequest } from './run-watched.ts'
import { startThread } from './start-thread.ts'
import { threadStack } from './thread-stack.ts'

/** The process of `runWatched`: a worker thread of it runs what may never return, and this one can say where it stands. */

const SOURCES = import.meta.url.endsWith('.ts')
/** Of the thread. */
const NAME = 'vring-watched'
/** How late V8 may be with the stack of a thread, in ms: it answers at the next jump back of a loop, or never. */
const STACK_PATIENCE_MS = 1000
/** Exit codes with a meaning of their own: https://nodejs.org/api/process.html#exit-codes. */
const EXITS: ReadonlyMap<number, string> = new Map([[13, 'it awaits what nothing is left to settle']])

process.once('message', (request: WatchedRequest) => {
  const worker = startThread(
    Worker,
    new URL(SOURCES ? './watched-thread.ts' : './watched-thread.js', import.meta.url),
    {
      name: NAME,
      workerData: request.call,
    },
  )
  let ended = false
  const tell = (end: WatchedEnd): void => {
    if (!ended) process.send!(end)
    ended = true
  }
  worker.once('message', () => {
    worker.once('message', tell)
    setTimeout(async () => tell({ kind: 'late', ...(await threadStack(NAME, STACK_PATIENCE_MS)) }), request.limitMs)
  })
  worker.once('error', (error) => tell({ kind: 'threw', error: error.message }))
  worker.once('exit', (code) => {
    const known = EXITS.get(code)
    tell({ kind: 'ended', how: known ?? `its process exited with code ${code}`, explained: known !== undefined })
  })
})
// An exit would wait for a thread that is in a call of the operating system.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
