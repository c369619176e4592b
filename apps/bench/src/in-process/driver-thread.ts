import { workerData } from 'node:worker_threads'
import { memoryView } from '@vring/memory'
import { DRIVER_BUDGET, DRIVER_READY, DRIVER_RETURNED, DRIVER_STOP, ID_SUM_OFFSET } from '../drivers/thread-control.ts'
import { tryPin } from '../placement/try-pin.ts'
import { createLapDriver } from './create-lap-driver.ts'
import type { LapPlan } from './lap-driver.ts'

/** What the driver's thread is started with. */
export interface DriverThreadData {
  readonly memory: SharedArrayBuffer
  readonly control: SharedArrayBuffer
  /** Buffers that are published at once. */
  readonly batch: number
  /** The CPU to run on; null: any. */
  readonly cpu: number | null
  readonly driver: LapPlan
}

/**
 * The driver in a thread of its own. It publishes as long as there is budget and room in the ring, and takes used
 * elements back. In between it spins, as a poll-mode driver does.
 */
function main({ memory, control, batch, cpu, driver: plan }: DriverThreadData): void {
  if (cpu !== null) tryPin(cpu)
  const words = new Int32Array(control)
  const idSum = new Float64Array(control, ID_SUM_OFFSET, 1)
  const driver = createLapDriver(plan, memoryView(memory))
  let published = 0
  let returned = 0
  Atomics.store(words, DRIVER_READY, 1)
  Atomics.notify(words, DRIVER_READY)
  // Looks at the used ring when half of the ring is out, as poll-mode drivers do: a look takes a cache line from the device.
  const { chains } = plan
  const enough = Math.max(batch, chains >>> 1)
  let left = 0
  for (;;) {
    // Acquire: pairs with the device's release of a new budget. Counts wrap at 2^32; differences do not care.
    if (left === 0) left = (Atomics.load(words, DRIVER_BUDGET) - published) | 0
    const room = (chains - (published - returned)) | 0
    const count = Math.min(batch, left, room)
    if (count > 0) {
      driver.publish(count)
      published = (published + count) | 0
      left = (left - count) | 0
    }
    if (left > 0 && room - count >= enough) continue
    const back = driver.reclaim()
    if (back > 0) {
      returned = (returned + back) | 0
      // The sum first, then the count with release: a thread that has the count has the sum.
      idSum[0] = driver.idSum
      Atomics.store(words, DRIVER_RETURNED, returned)
    } else if (left === 0 && Atomics.load(words, DRIVER_STOP) !== 0) return
  }
}

main(workerData as DriverThreadData)
