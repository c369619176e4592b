import { parentPort, workerData } from 'node:worker_threads'
import { EventFd } from '@vring/linux'
import { VhostUserWorker } from '@vring/vhost-user'
import { BlockDevice, FileStore } from '@vring/vhost-user-blk'
import { refusalLine } from '../log/refusal-line.ts'
import { attempt, startError } from '../serve-error.ts'
import type { BlockSettings, BlockWorkerMessage } from './block-protocol.ts'

/**
 * The thread that serves a file. It does not return to JavaScript's event loop before it ends: `FileStore` answers at once, so
 * that nothing but poll(2) lies between a kick and its request.
 */
function work({ socket, file, readOnly, queues, id, client, wakeFd, stop }: BlockSettings): void {
  const stopped = new Int32Array(stop)
  const wake = new EventFd(wakeFd)
  const store = attempt('--file', () => new FileStore(file, { readOnly }))
  let told = false
  const kind = `${store.bytes} bytes${readOnly ? ', read-only' : ''}, ${queues} queue${queues === 1 ? '' : 's'}`
  const worker = new VhostUserWorker({
    wakeFd,
    shouldStop: () => {
      if (!told) note(`${client ? 'connecting to' : 'listening on'} ${socket}; block device ${file}, ${kind}`)
      told = true
      wake.drain()
      return Atomics.load(stopped, 0) === 1
    },
  })
  try {
    const device = attempt('--id', () => new BlockDevice({ store, queues, id }))
    attempt('--socket', () =>
      worker.serve({
        ...{ path: socket, role: client ? 'client' : 'server', device },
        onNote: note,
        onRefusal: (refusal) => {
          const line = refusalLine(refusal)
          if (line !== null) note(line)
        },
        onOpen: () => note('a driver connected'),
        onClose: ({ error }) =>
          note(error === null ? 'the driver hung up' : `the driver's session ended: ${error.message}`),
      }),
    )
    worker.run()
    const { reads, writes, flushes, errors } = device.counters
    note(`stopped; ${reads} reads, ${writes} writes, ${flushes} flushes, ${errors} errors`)
  } finally {
    worker.close()
    store.close()
  }
}

function note(line: string): void {
  tell({ type: 'note', line })
}

function tell(message: BlockWorkerMessage): void {
  parentPort?.postMessage(message)
}

try {
  work(workerData as BlockSettings)
} catch (error) {
  const { message, exitCode } = startError('worker', error)
  tell({ type: 'failed', message, exitCode })
}
