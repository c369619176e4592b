import { SCHED_FIFO, SCHED_OTHER, SCHED_PARAM } from '../abi.ts'
import { checked, fixedBytes } from '../libc.ts'

/**
 * Runs `work` with the calling thread under SCHED_FIFO, before every thread of normal priority on its CPU, and goes back to
 * SCHED_OTHER. `work` must be short: nothing else runs on that CPU meanwhile.
 *
 * Source: sched_setscheduler(2); a thread id of 0 is the calling thread.
 *
 * @throws VringError ERR_SYSTEM (`EPERM`: no CAP_SYS_NICE and no RLIMIT_RTPRIO), before `work` has begun
 */
export function withFifo<T>(work: () => T): T {
  setScheduler(SCHED_FIFO, 1)
  try {
    return work()
  } finally {
    setScheduler(SCHED_OTHER, 0)
  }
}

function setScheduler(policy: number, priority: number): void {
  const param = fixedBytes(SCHED_PARAM.size)
  new DataView(param.buffer).setInt32(SCHED_PARAM.sched_priority, priority, true)
  checked('sched_setscheduler', (c) => c.sched_setscheduler(0, policy, param), `policy ${policy}`)
}
