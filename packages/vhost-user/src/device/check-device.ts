import { checkMethods, refused } from '@vring/layout'
import type { VhostUserDevice } from './device.ts'

const METHODS = ['startQueue', 'stopQueue', 'setQueueEnabled', 'serveQueue', 'armQueue'] as const

/**
 * Checks a device when it is handed over, before any frontend is there.
 *
 * @throws VringError ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE
 */
export function checkDevice(device: VhostUserDevice): void {
  checkMethods('device', device, 'a VhostUserDevice', METHODS)
  const { features, queueCount, configBytes } = device
  if (typeof features !== 'bigint')
    throw refused('ERR_INVALID_ARGUMENT', 'device.features', typeof features, 'a bigint of feature bits')
  if (!Number.isInteger(queueCount) || queueCount < 1)
    throw refused('ERR_OUT_OF_RANGE', 'device.queueCount', queueCount, '1 or more queues')
  if (configBytes !== undefined) checkMethods('device', device, 'a VhostUserDevice', ['readConfig'])
}
