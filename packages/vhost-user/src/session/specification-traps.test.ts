import { featureSet } from '@vring/layout'
import { ACCESS_READ } from '@vring/memory'
import { describe, expect, test } from 'vitest'
import { region, SessionPair } from '../../test/session-pair.ts'
import {
  PROTOCOL_F_INBAND_NOTIFICATIONS,
  PROTOCOL_F_LOG_SHMFD,
  PROTOCOL_F_REPLY_ACK,
} from '../messages/protocol-features.ts'

describe('traps of the specification', () => {
  test('1: INBAND_NOTIFICATIONS without BACKEND_REQ and REPLY_ACK closes the connection, acknowledgement or not', () => {
    const pair = new SessionPair().negotiate([PROTOCOL_F_REPLY_ACK])
    pair.send('SET_PROTOCOL_FEATURES', featureSet(PROTOCOL_F_INBAND_NOTIFICATIONS), [], true)
    expect(pair.session.closed).toBe(true)
  })

  test('2: the descriptor of REM_MEM_REG is closed and not used', () => {
    const pair = new SessionPair().negotiate().start(0)
    const fd = pair.host.file('junk')
    expect(pair.send('REM_MEM_REG', region(), [fd], true)).toEqual(['REM_MEM_REG reply ack=0'])
    expect(pair.host.open.has(fd)).toBe(false)
    expect(pair.host.mapped).toBe(0)
  })

  test('3: RESET_OWNER disables the rings and resets nothing else', () => {
    const pair = new SessionPair().negotiate().start(0)
    pair.send('RESET_OWNER', null)
    expect(pair.device.calls.at(-1)).toBe('disable 0')
    expect(pair.session.activeQueues).toEqual([0])
    expect(pair.session.memory.regions).toHaveLength(1)
  })

  test('4: SET_VRING_BASE sets the avail index; the used index is read from the ring', () => {
    const pair = new SessionPair().negotiate()
    pair.send('SET_MEM_TABLE', [region()], [pair.host.file('memory')])
    const { space } = pair.session.memory
    const usedIdx = space.resolve(2 ** 40 + 0x1_2002, 2, ACCESS_READ)
    space.view.u16[usedIdx >> 1] = 777
    pair.start(0, 42)
    expect(pair.device.rings.get(0)).toMatchObject({ nextAvail: 42, usedIdx: 777 })
  })

  test('5: without PROTOCOL_FEATURES rings begin enabled, with it disabled', () => {
    const legacy = new SessionPair().negotiate([], true).start(0)
    expect(legacy.device.calls).toEqual(['start 0 at 0', 'enable 0'])
    expect(legacy.send('SET_VRING_ENABLE', { index: 0, num: 0 })).toEqual([])
    expect(legacy.session.closed).toBe(true)
    const pair = new SessionPair().negotiate().start(0)
    pair.send('SET_VRING_ENABLE', { index: 0, num: 0 })
    pair.send('GET_VRING_BASE', { index: 0, num: 0 })
    pair.send('SET_VRING_KICK', { index: 0, hasFd: true }, [pair.host.file('event')])
    expect(pair.device.calls.at(-1)).toBe('start 0 at 0')
    expect(pair.session.vrings[0]!.enabled).toBe(false)
  })

  test('5: a ring that QEMU enables before features are acknowledged is enabled when it starts', () => {
    const pair = new SessionPair()
    pair.send('SET_VRING_ENABLE', { index: 0, num: 1 })
    expect(pair.session.vrings[0]!.enabled).toBe(true)
    pair.negotiate().start(0)
    expect(pair.device.calls).toEqual(['start 0 at 0', 'enable 0'])
  })

  test('6: protocol features are negotiated before SET_FEATURES', () => {
    const pair = new SessionPair()
    expect(pair.send('GET_PROTOCOL_FEATURES', null)[0]).toMatch(/^GET_PROTOCOL_FEATURES reply 0x/)
    pair.send('SET_PROTOCOL_FEATURES', featureSet(PROTOCOL_F_REPLY_ACK))
    expect(pair.session.closed).toBe(false)
    expect(pair.session.protocolFeatures).toBe(featureSet(PROTOCOL_F_REPLY_ACK))
  })

  test('7: with all rings stopped the device touches nothing', () => {
    const pair = new SessionPair().negotiate().start(0).start(1)
    for (const index of [0, 1]) pair.send('GET_VRING_BASE', { index, num: 0 })
    expect(pair.session.activeQueues).toEqual([])
    expect(pair.device.rings.size).toBe(0)
  })

  test('8: an inflight area is not on offer of a device that notes nothing in it, and asking for one is refused', () => {
    const pair = new SessionPair().negotiate()
    const asked = { size: 0, offset: 0, queueCount: 1, queueSize: 16 }
    expect(pair.send('GET_INFLIGHT_FD', asked, [], true)).toEqual([
      'GET_INFLIGHT_FD reply 0100000000000000 (no inflight area)',
    ])
    expect(pair.session.closed).toBe(false)
  })

  test('9: SET_LOG_BASE is answered without REPLY_ACK', () => {
    const pair = new SessionPair().negotiate([PROTOCOL_F_LOG_SHMFD])
    expect(pair.send('SET_LOG_BASE', { size: 4096, offset: 0 }, [pair.host.file('memory')])).toEqual([
      'SET_LOG_BASE reply',
    ])
  })

  test('9: SET_LOG_BASE with need_reply is answered by a status, as every request is', () => {
    const pair = new SessionPair().negotiate()
    const send = (size: number): string[] =>
      pair.send('SET_LOG_BASE', { size, offset: 0 }, [pair.host.file('memory')], true)
    expect(send(4096)).toEqual(['SET_LOG_BASE reply ack=0'])
    expect(send(2 ** 42)).toEqual(['SET_LOG_BASE reply ack=1'])
    expect([pair.session.closed, pair.session.refusals]).toEqual([false, 1])
  })

  test('10: bit 8 says that no descriptor comes: the ring is polled', () => {
    const pair = new SessionPair().negotiate().start(0)
    pair.send('GET_VRING_BASE', { index: 0, num: 0 })
    pair.send('SET_VRING_KICK', { index: 0, hasFd: false })
    expect(pair.session.vrings[0]).toMatchObject({ running: true, polled: true, kick: null })
    expect(pair.send('SET_VRING_KICK', { index: 0, hasFd: true }, [], true)).toEqual(['SET_VRING_KICK reply ack=1'])
    const fd = pair.host.file('event')
    expect(pair.send('SET_VRING_CALL', { index: 0, hasFd: false }, [fd], true)).toEqual(['SET_VRING_CALL reply ack=1'])
    expect(pair.host.open.has(fd)).toBe(false)
  })
})
