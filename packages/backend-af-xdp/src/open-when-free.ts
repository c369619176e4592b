import { systemErrnoOf } from '@vring/linux'

/** How long a queue that is in use is waited for by default, in ms. */
export const BUSY_MS = 1000
/** Between two attempts. */
const RETRY_MS = 20

const never = new Int32Array(new SharedArrayBuffer(4))

/**
 * Opens what one owner at a time may have. The kernel gives a queue back a moment after its socket was closed or its
 * process was killed, from a work queue. Until then it says EBUSY (Linux net/xdp/xsk_buff_pool.c, xp_release_deferred).
 * Waits, which stops this thread.
 *
 * @param busyMs how long at most
 * @param onBusy it has to wait; called once
 * @throws what `open` throws: EBUSY when the time is over
 */
export function openWhenFree<T>(open: () => T, busyMs: number, onBusy: () => void): T {
  const end = performance.now() + busyMs
  for (let told = false; ; told = true) {
    try {
      return open()
    } catch (error) {
      if (systemErrnoOf(error) !== 'EBUSY' || performance.now() >= end) throw error
    }
    if (!told) onBusy()
    Atomics.wait(never, 0, 0, RETRY_MS)
  }
}
