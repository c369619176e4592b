import {
  featureSet,
  VHOST_F_LOG_ALL,
  VHOST_USER_F_PROTOCOL_FEATURES,
  VIRTIO_F_RING_RESET,
  VIRTIO_F_VERSION_1,
} from '@vring/layout'
import { ACCESS_READ } from '@vring/memory'
import { describe, expect, test } from 'vitest'
import { RecyclingDevice } from '../../test/recycling-device.ts'
import { SessionPair } from '../../test/session-pair.ts'
import { PROTOCOL_F_MQ } from '../messages/protocol-features.ts'

describe('the session of a backend', () => {
  test('negotiates, maps memory, starts a ring and gives everything back when the frontend hangs up', () => {
    const pair = new SessionPair().negotiate().start(1, 7)
    expect(pair.session.error).toBeNull()
    expect(pair.session.activeQueues).toEqual([1])
    expect(pair.device.calls).toEqual(['start 1 at 7', 'enable 1'])
    expect(pair.session.memory.buffers.resolve(0x100, 16, ACCESS_READ)).toBe(0x100)
    pair.frontend.close()
    expect(pair.session.poll()).toBe('closed')
    expect(pair.session.error).toBeNull()
    expect(pair.device.calls.at(-1)).toBe('stop 1 at 7')
    expect(pair.leaks()).toEqual([])
  })

  test('answers what is always answered', () => {
    const pair = new SessionPair().negotiate()
    expect(pair.send('GET_QUEUE_NUM', null)).toEqual(['GET_QUEUE_NUM reply 0x1'])
    expect(pair.send('GET_MAX_MEM_SLOTS', null)).toEqual(['GET_MAX_MEM_SLOTS reply 0x1fd'])
    expect(pair.send('SET_STATUS', 0xfn)).toEqual([])
    expect(pair.send('GET_STATUS', null)).toEqual(['GET_STATUS reply 0xf'])
  })

  test('acknowledges when REPLY_ACK is negotiated and asked for, and not otherwise', () => {
    const silent = new SessionPair().negotiate([PROTOCOL_F_MQ])
    expect(silent.send('SET_VRING_NUM', { index: 0, num: 16 }, [], true)).toEqual([])
    const pair = new SessionPair().negotiate()
    expect(pair.send('SET_VRING_NUM', { index: 0, num: 16 }, [])).toEqual([])
    expect(pair.send('SET_VRING_NUM', { index: 0, num: 16 }, [], true)).toEqual(['SET_VRING_NUM reply ack=0'])
  })

  test('answers a refused request with a failure and lives on; without an answer to give it hangs up', () => {
    const pair = new SessionPair().negotiate()
    expect(pair.send('SET_VRING_NUM', { index: 0, num: 3 }, [], true)).toEqual(['SET_VRING_NUM reply ack=1'])
    expect(pair.session.closed).toBe(false)
    expect(pair.session.lastRefusal?.message).toContain('queue size is 3; accepted: a power of two')
    pair.send('SET_VRING_ENABLE', { index: 0, num: 2 })
    expect(pair.session.closed).toBe(true)
    expect(pair.session.error?.code).toBe('ERR_OUT_OF_RANGE')
  })

  test('features that were not offered are refused', () => {
    const pair = new SessionPair()
    pair.send('SET_FEATURES', featureSet(VIRTIO_F_RING_RESET))
    expect(pair.session.error?.field).toBe('SET_FEATURES')
  })

  test('the driver is forgotten alike, however its reset comes', () => {
    for (const reset of ['SET_STATUS', 'RESET_DEVICE', 'RESET_OWNER', 'hang-up'] as const) {
      let forgotten = 0
      const device = Object.assign(new RecyclingDevice(), { reset: () => void forgotten++ })
      const pair = new SessionPair(device).negotiate().start(0)
      if (reset === 'SET_STATUS') pair.send(reset, 0n)
      else if (reset === 'hang-up') pair.session.close()
      else pair.send(reset, null)
      expect([reset, forgotten, pair.session.vrings.some(({ running, enabled }) => running && enabled)]).toEqual([
        reset,
        1,
        false,
      ])
    }
  })

  test('RESET_DEVICE stops the rings and forgets them; memory stays', () => {
    const pair = new SessionPair().negotiate().start(0)
    pair.send('RESET_DEVICE', null)
    expect(pair.session.activeQueues).toEqual([])
    expect(pair.session.vrings[0]!.size).toBe(0)
    expect(pair.session.memory.regions).toHaveLength(1)
    pair.negotiate().start(0)
    expect(pair.session.activeQueues).toEqual([0])
  })

  test('a device that throws when one ring stops keeps nothing of the others', () => {
    const device = new RecyclingDevice()
    const pair = new SessionPair(device).negotiate([]).start(0).start(1)
    const stopQueue = device.stopQueue.bind(device)
    device.stopQueue = (index) => {
      if (index === 0) throw new TypeError('a bug in a device')
      return stopQueue(index)
    }
    pair.session.close()
    expect(pair.session.error?.message).toContain('a bug in a device')
    expect(device.calls.at(-1)).toBe('stop 1 at 0')
    expect(pair.leaks()).toEqual([])
  })

  test('a device that throws costs its own session only', () => {
    const device = new RecyclingDevice()
    device.startQueue = () => {
      throw new TypeError('a bug in a device')
    }
    const pair = new SessionPair(device).negotiate([]).start(0)
    expect(pair.session.closed).toBe(true)
    expect(pair.session.error?.message).toContain('a bug in a device')
    expect(pair.leaks()).toEqual([])
  })
})

test('features on offer are the device’s, with protocol features and logging', () => {
  const pair = new SessionPair()
  const expected = featureSet(VIRTIO_F_VERSION_1, VHOST_USER_F_PROTOCOL_FEATURES, VHOST_F_LOG_ALL)
  expect(pair.send('GET_FEATURES', null)).toEqual([`GET_FEATURES reply 0x${expected.toString(16)}`])
})
