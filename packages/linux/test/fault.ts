import { ftruncateSync } from 'node:fs'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { createMemfd, guardFaults, Mapping, startThread } from '../src/index.ts'

/**
 * A process of its own that touches memory that is not there; what becomes of it is for the test to see. `unguarded`:
 * of no guard. `sent`: SIGBUS comes from kill(2). `thread`: a worker guards and touches, the main thread counts.
 */

function shrunk(guard: boolean): Uint8Array {
  const fd = createMemfd('fault', 8192, { sealed: false })
  const bytes = new Uint8Array(Mapping.of(fd, { length: 8192, guard }).buffer)
  ftruncateSync(fd, 4096)
  return bytes
}

const mode = isMainThread ? process.argv[2] : workerData
const guarded = shrunk(true)
guarded[5000] = 7
if (mode === 'inner') parentPort!.postMessage(guarded[5000])
else {
  process.stdout.write(`${guarded[5000]} ${guardFaults()}\n`)
  if (mode === 'unguarded') process.stdout.write(`${shrunk(false)[5000]}\n`)
  else if (mode === 'sent') {
    process.kill(process.pid, 'SIGBUS')
    setTimeout(() => process.stdout.write('alive\n'), 2000)
  } else {
    const worker = startThread(Worker, new URL(import.meta.url), { workerData: 'inner' })
    worker.on('message', (value) => process.stdout.write(`${value} ${guardFaults()}\n`))
  }
}
