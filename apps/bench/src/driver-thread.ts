import { workerData } from 'node:worker_threads'
import { memoryView } from '@vring/memory'
import { LapDriver, type LapDriverOptions } from './cells/lap-driver.ts'
import { DRIVER_BUDGET, DRIVER_READY, DRIVER_RETURNED, DRIVER_STOP, ID_SUM_OFFSET } from './drivers/thread-control.ts'

/** What the driver's thread is started with. */
export interface DriverThreadData {
  readonly memory: SharedArrayBuffer
  readonly control: SharedArrayBuffer
  /** Buffers that are published at once. */
  readonly batch: number
  readonly driver: Omit<LapDriverOptions, 'view'>
}

/**
 * The driver in a thread of its own: publishes as long as there is budget and room in the ring, takes used elements back,
 * and spins in between, as a poll-mode driver does.
 */
function main({ memory, control, batch, driver: options }: DriverThreadData): void {
  const words = new Int32Array(control)
  const idSum = new Float64Array(control, ID_SUM_OFFSET, 1)
  const driver = new LapDriver({ ...options, view: memoryView(memory) })
  let published = 0
  let returned = 0
  Atomics.store(words, DRIVER_READY, 1)
  Atomics.notify(words, DRIVER_READY)
  for (;;) {
    // Acquire: pairs with the device's release of a new budget. Counts wrap at 2^32; differences do not care.
    const left = (Atomics.load(words, DRIVER_BUDGET) - published) | 0
    const count = Math.min(batch, left, options.chains - ((published - returned) | 0))
    if (count > 0) {
      driver.publish(count)
      published = (published + count) | 0
    }
    const back = driver.reclaim()
    if (back > 0) {
      returned = (returned + back) | 0
      // The sum first, then the count with release: whoever has the count has the sum.
      idSum[0] = driver.idSum
      Atomics.store(words, DRIVER_RETURNED, returned)
    } else if (left === 0 && Atomics.load(words, DRIVER_STOP) !== 0) return
  }
}

main(workerData as DriverThreadData)
