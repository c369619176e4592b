import type { Fault } from './fault.ts'

/** Modules in `cases/`, in the order of the table. */
export const CASES = [
  'indirect-length-twice',
  'inflight-ring-size',
  'rx-short-chain',
  'avail-index',
  'next-uninitialised',
  'next-twice',
  'livelock',
  'used-batch',
  'tun-protocol',
  'ubufs-outlive',
  'socket-out-of-bounds',
  'inflight-overflow',
  'in-order-flush',
  'hash-report',
] as const

/** A fault and the module that it stands in. */
export interface FaultCase {
  readonly module: string
  readonly fault: Fault
}

export async function readFaults(): Promise<readonly FaultCase[]> {
  return Promise.all(
    CASES.map(async (module) => ({
      module,
      fault: ((await import(`./cases/${module}.ts`)) as { fault: Fault }).fault,
    })),
  )
}

/** The title of a fault's test. */
export function titleOf({ id, holds }: Fault): string {
  return `${id} ${holds}`
}
