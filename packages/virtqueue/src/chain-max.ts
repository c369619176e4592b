import { refused } from '@vring/layout'
import { CHAIN_DESCRIPTORS_MAX } from './chain-batch.ts'
import type { DeviceQueueOptions } from './device-queue.ts'

/**
 * Descriptors of the longest chain that a queue accepts.
 *
 * @throws VringError ERR_OUT_OF_RANGE
 */
export function chainMaxOf({ chainMax = CHAIN_DESCRIPTORS_MAX }: DeviceQueueOptions): number {
  if (!Number.isInteger(chainMax) || chainMax < 1 || chainMax > CHAIN_DESCRIPTORS_MAX)
    throw refused('ERR_OUT_OF_RANGE', 'chainMax', chainMax, `1 to ${CHAIN_DESCRIPTORS_MAX}`)
  return chainMax
}
