import { refused } from '@vring/layout'

/**
 * How long sockets are looked at after a message whenever the rings are empty, in microseconds. A frontend that sets a
 * device up has the next message ready when it has its answer, and waking a thread takes longer than that.
 */
export const ANSWER_US = 100

export interface VhostUserWorkerOptions {
  /**
   * How long to go on looking at empty rings before sleeping, and at the socket after a message ({@link ANSWER_US} at
   * most), in microseconds. Default 50; Infinity never sleeps.
   */
  readonly busyPollUs?: number
  /**
   * How long to leave empty rings alone before looking again, in microseconds. Default 3, in which a fast driver fills a
   * batch; 0 looks again at once.
   */
  readonly pauseUs?: number
  /** How often to look for control messages while packets flow, in microseconds. Default 1000. */
  readonly controlUs?: number
  /** A descriptor that wakes the worker from another thread: an eventfd that {@link shouldStop} explains. */
  readonly wakeFd?: number
  /** Asked after every wake-up, every {@link controlUs} and once a second; true ends {@link VhostUserWorker.run}. */
  readonly shouldStop?: () => boolean
}

/** @throws VringError ERR_OUT_OF_RANGE, ERR_INVALID_ARGUMENT */
export function checkWorkerOptions(options: VhostUserWorkerOptions): void {
  for (const field of ['busyPollUs', 'pauseUs', 'controlUs'] as const)
    if (!((options[field] ?? 0) >= 0))
      throw refused('ERR_OUT_OF_RANGE', field, options[field], '0 or more microseconds')
  if (options.shouldStop !== undefined && typeof options.shouldStop !== 'function')
    throw refused('ERR_INVALID_ARGUMENT', 'shouldStop', typeof options.shouldStop, 'a function')
}
