import type { ServedPath } from './served-paths.ts'
import { VhostUserWorker } from './worker.ts'
import type { VhostUserWorkerOptions } from './worker-options.ts'

export interface ServeOptions extends ServedPath, VhostUserWorkerOptions {}

/**
 * Serves a device to one frontend after the other, until `shouldStop` says so. It waits for a connection, runs its
 * session, and waits again when that ends, for any reason. Blocks the thread: give it a worker. Several paths in one
 * thread: {@link VhostUserWorker}.
 *
 * @throws VringError when the endpoint itself fails (path in use, no permission)
 */
export function serveVhostUser(options: ServeOptions): void {
  const worker = new VhostUserWorker(options)
  worker.serve(options)
  try {
    worker.run()
  } finally {
    worker.close()
  }
}
