import { featureSet, hasFeature, VIRTIO_F_VERSION_1 } from '@vring/layout'
import { describe, expect, test } from 'vitest'
import { SessionPair } from '../../test/session-pair.ts'
import { decodeMessage } from '../messages/decode-message.ts'
import { encodeMessage, FLAG_NEED_REPLY, FLAG_REPLY } from '../messages/header.ts'
import { MessageReader } from '../messages/message-reader.ts'
import { MESSAGES } from '../messages/messages.ts'
import { u64 } from '../messages/payload.ts'
import {
  PROTOCOL_F_INBAND_NOTIFICATIONS,
  PROTOCOL_F_REPLY_ACK,
  PROTOCOL_F_STATUS,
} from '../messages/protocol-features.ts'
import { memoryTransportPair } from '../messages/transport.ts'
import { FRONTEND_PROTOCOL_FEATURES, VhostUserFrontend } from './frontend.ts'

/** A backend of a test's own that offers every bit there is, and says yes to everything. */
function yesBackend({ kept = 255n, refused = -1 } = {}) {
  const offered = 2n ** 64n - 1n
  const [driver, device] = memoryTransportPair()
  const reader = new MessageReader(device, 4096, 8)
  const said: string[] = []
  let sent = 0
  let most = 0
  const send = driver.send.bind(driver)
  driver.send = (...message) => {
    most = Math.max(most, ++sent - said.length)
    send(...message)
  }
  let status = 0n
  const answer = (): void => {
    const message = reader.next()
    if (typeof message === 'string') return
    const { request: id, flags, payload } = message
    said.push(decodeMessage(encodeMessage(id, flags & ~3, payload)))
    if (id === MESSAGES.SET_STATUS.id) status = u64.decode(new DataView(payload.buffer)) & kept
    const replies = new Map([
      [MESSAGES.GET_FEATURES.id, offered],
      [MESSAGES.GET_PROTOCOL_FEATURES.id, offered],
      [MESSAGES.GET_STATUS.id, status],
    ])
    const asked = (flags & FLAG_NEED_REPLY) !== 0
    const value = replies.get(id) ?? (asked ? BigInt(id === refused) : null)
    if (value !== null) device.send(encodeMessage(id, FLAG_REPLY, u64.encode(value)))
  }
  return { frontend: new VhostUserFrontend({ transport: driver, wait: answer }), said, answer, underWay: () => most }
}

describe('the frontend', () => {
  test('acknowledges what it speaks of the 64 protocol features on offer, and nothing else', () => {
    const { frontend } = yesBackend()
    frontend.negotiate(featureSet(VIRTIO_F_VERSION_1))
    expect(frontend.protocolFeatures).toBe(FRONTEND_PROTOCOL_FEATURES)
    expect(hasFeature(frontend.protocolFeatures, PROTOCOL_F_INBAND_NOTIFICATIONS)).toBe(false)
    const asked = yesBackend().frontend
    asked.negotiate(0n, -1n)
    expect(asked.protocolFeatures).toBe(FRONTEND_PROTOCOL_FEATURES)
  })

  test('virtio 1.3 3.1.1 sets the device status in order, when STATUS is negotiated', () => {
    const { frontend, said } = yesBackend()
    frontend.negotiate(0n)
    const steps = said.filter((message) => /SET_STATUS|SET_FEATURES/.test(message))
    expect(steps.map((message) => message.replace(' need_reply', ''))).toEqual([
      'SET_STATUS 0x0',
      'SET_STATUS 0x1',
      'SET_STATUS 0x3',
      'SET_FEATURES 0x40000000',
      'SET_STATUS 0xb',
    ])
    const silent = yesBackend()
    silent.frontend.negotiate(0n, featureSet(PROTOCOL_F_REPLY_ACK))
    expect(silent.said.join()).not.toContain('STATUS')
  })

  test('refuses a device that does not keep FEATURES_OK', () => {
    const { frontend } = yesBackend({ kept: 3n })
    expect(() => frontend.negotiate(0n)).toThrow('the device status is ACKNOWLEDGE DRIVER; accepted: FEATURES_OK')
  })
})

test('the session names the features that it refuses, and the protocol feature that a request needs', () => {
  const pair = new SessionPair()
  pair.send('SET_PROTOCOL_FEATURES', featureSet(PROTOCOL_F_REPLY_ACK, PROTOCOL_F_STATUS))
  pair.send('SET_FEATURES', featureSet(22, 34, 49), [], true)
  expect(pair.session.lastRefusal?.message).toBe(
    'SET_FEATURES is bit 22, VIRTIO_F_RING_PACKED (34), bit 49; accepted: features on offer, VHOST_F_LOG_ALL (26), ' +
      'VHOST_USER_F_PROTOCOL_FEATURES (30), VIRTIO_F_VERSION_1 (32)',
  )
  pair.send('SET_PROTOCOL_FEATURES', featureSet(21, 63), [], true)
  expect(pair.session.lastRefusal?.message).toContain('SET_PROTOCOL_FEATURES is GPA_ADDRESSES (21), bit 63; accepted: ')
  pair.send('RESET_DEVICE', null, [], true)
  expect(pair.session.lastRefusal?.message).toBe('RESET_DEVICE is sent; accepted: RESET_DEVICE (13) negotiated first')
})

describe('requests that are sent together', () => {
  test('are answered in their order, with 32 under way at most', () => {
    const { frontend, said, underWay } = yesBackend()
    frontend.negotiate(0n)
    const told = Array.from({ length: 100 }, (_, num) => ['SET_VRING_BASE', { index: 0, num }] as const)
    const before = said.length
    const replies = frontend.callAll([...told, ['GET_STATUS', null]])
    expect(replies).toEqual([...told.map(() => null), 11n])
    const { id, request } = MESSAGES.SET_VRING_BASE
    expect(said.slice(before, -1)).toEqual(
      told.map(([, payload]) => decodeMessage(encodeMessage(id, FLAG_NEED_REPLY, request.encode(payload)))),
    )
    expect(underWay()).toBe(32)
  })

  test('are all answered before the first refusal is thrown: the connection goes on', () => {
    const { frontend, said } = yesBackend({ refused: MESSAGES.SET_VRING_NUM.id })
    frontend.negotiate(0n)
    const start = () =>
      frontend.callAll([
        ['SET_VRING_BASE', { index: 0, num: 0 }],
        ['SET_VRING_NUM', { index: 0, num: 3 }],
        ['SET_VRING_ENABLE', { index: 0, num: 1 }],
      ])
    expect(start).toThrow('SET_VRING_NUM: the backend refused it')
    expect(said.at(-1)).toContain('SET_VRING_ENABLE')
    expect(frontend.call('GET_STATUS', null)).toBe(11n)
  })
})
