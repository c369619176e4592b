import { describe, expect, test } from 'vitest'
import { CountingHost } from '../../test/counting-host.ts'
import { RecyclingDevice } from '../../test/recycling-device.ts'
import { VhostUserDriver } from '../frontend/vhost-user-driver.ts'
import { memoryTransportPair } from '../messages/transport.ts'
import { BackendSession } from '../session/backend-session.ts'
import { VhostUserWorker } from '../worker/worker.ts'

/** A device whose fields are what a test says. */
const deviceWith = (fields: object): RecyclingDevice => Object.assign(new RecyclingDevice(), fields)

describe('what can’t be served is refused when it is handed over, before a frontend is there', () => {
  const [transport] = memoryTransportPair()
  const host = new CountingHost()

  test.each([
    [undefined, 'device is undefined; accepted: a VhostUserDevice'],
    [deviceWith({ serveQueue: null }), 'device.serveQueue is object; accepted: a function'],
    [deviceWith({ features: 3 }), 'device.features is number; accepted: a bigint of feature bits'],
    [deviceWith({ queueCount: 0 }), 'device.queueCount is 0; accepted: 1 or more queues'],
    [deviceWith({ configBytes: 8 }), 'device.readConfig is undefined; accepted: a function'],
  ])('a device, case %#', (device, message) => {
    expect(() => new BackendSession({ transport, device: device as never, host })).toThrow(message)
    const worker = new VhostUserWorker()
    expect(() => worker.serve({ path: '/nowhere', role: 'client', device: device as never })).toThrow(message)
    expect(worker.idle).toBe(true)
  })

  test('a session without a transport, without a host, or with no time for a message', () => {
    const device = new RecyclingDevice()
    expect(() => new BackendSession({ device, host } as never)).toThrow('transport is undefined; accepted: a Transport')
    expect(() => new BackendSession({ transport, device, host: {} } as never)).toThrow('host.closeFd is undefined')
    expect(() => new BackendSession({ transport, device, host, messageMs: Number.NaN })).toThrow(
      'messageMs is NaN; accepted: at least 1',
    )
  })

  test('a worker whose times are none', () => {
    expect(() => new VhostUserWorker({ busyPollUs: -1 })).toThrow('busyPollUs is -1; accepted: 0 or more microseconds')
    expect(() => new VhostUserWorker({ controlUs: Number.NaN })).toThrow('controlUs is NaN')
    expect(() => new VhostUserWorker({ pauseUs: '3' as never, shouldStop: true as never })).toThrow(
      'shouldStop is boolean; accepted: a function',
    )
    expect(new VhostUserWorker({ busyPollUs: Number.POSITIVE_INFINITY }).idle).toBe(true)
  })

  test('a driver of no queues, of no entries, or without a way to its backend', () => {
    expect(() => VhostUserDriver.connect({})).toThrow('path is undefined; accepted: the path of a socket, or transport')
    expect(() => VhostUserDriver.connect({ path: '/nowhere', queues: 0 })).toThrow('queues is 0; accepted: 1 to 256')
    expect(() => VhostUserDriver.connect({ path: '/nowhere', queueSize: 0 })).toThrow('queueSize is 0')
    expect(() => VhostUserDriver.connect({ path: '/nowhere', slotBytes: 0.5 })).toThrow('slotBytes is 0.5')
  })
})
