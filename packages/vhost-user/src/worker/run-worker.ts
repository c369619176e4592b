import { EventFd, PollSet } from '@vring/linux'
import type { VhostUserWorker } from './worker.ts'

/**
 * {@link VhostUserWorker.run} in a thread that does other things, too. JavaScript's event loop gets its turn once a
 * millisecond, and goes on while the rings sleep. For devices that answer later, by promises. One thread of the pool
 * that `node:fs` uses sleeps in poll(2).
 *
 * @returns when nothing is left to serve, or `signal` is aborted
 * @throws VringError when an endpoint fails
 */
export async function runWorker(worker: VhostUserWorker, signal?: AbortSignal): Promise<void> {
  const wake = EventFd.create()
  const onAbort = (): void => wake.signal()
  signal?.addEventListener('abort', onAbort)
  const poll = new PollSet()
  try {
    for (;;) {
      worker.control()
      if (signal?.aborted === true || worker.idle) return
      if (!worker.turns() || worker.arm()) {
        await new Promise((resolve) => setImmediate(resolve))
        continue
      }
      const { waitMs } = worker
      poll.watch([...worker.fds, wake.fd], worker.roomFds)
      await poll.waitAsync(waitMs)
      worker.drain()
    }
  } finally {
    signal?.removeEventListener('abort', onAbort)
    wake.close()
  }
}
