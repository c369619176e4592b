import { EAGAIN } from '@vring/layout'
import { describe, expect, test } from 'vitest'
import { full } from '../../test/full-device.ts'
import { SessionPair } from '../../test/session-pair.ts'
import { encodeMessage, FLAG_NEED_REPLY } from '../messages/header.ts'
import { MESSAGES, type RequestName } from '../messages/messages.ts'
import { DEVICE_STATE_LOAD, DEVICE_STATE_SAVE } from '../messages/payload.ts'
import { protocolFeatureNames } from '../messages/protocol-features.ts'

describe('what is on offer', () => {
  test('depends on what the device does', () => {
    const few = protocolFeatureNames(new SessionPair().session.offeredProtocolFeatures)
    for (const name of ['CONFIG (', 'INFLIGHT_SHMFD', 'DEVICE_STATE', 'PAGEFAULT', 'INBAND'])
      expect(few).not.toContain(name)
    expect(few).toContain('BACKEND_REQ (5)')
    const all = protocolFeatureNames(full().session.offeredProtocolFeatures)
    for (const name of ['CONFIG (9)', 'INFLIGHT_SHMFD (12)', 'DEVICE_STATE (19)']) expect(all).toContain(name)
  })

  test('no bit of the 64 is acknowledged that is not on offer', () => {
    for (let bit = 0; bit < 64; bit++) {
      const pair = full()
      const offered = (pair.session.offeredProtocolFeatures >> BigInt(bit)) & 1n
      pair.send('SET_PROTOCOL_FEATURES', 1n << BigInt(bit))
      expect((pair.session.protocolFeatures >> BigInt(bit)) & 1n).toBe(pair.session.closed ? 0n : offered)
      expect(pair.session.closed).toBe(offered === 0n)
    }
  })
})

describe('the reply rules', () => {
  test('every request without a reply of its own answers a status when it is asked for, done or refused', () => {
    for (const name of Object.keys(MESSAGES) as RequestName[]) {
      const { id, reply, request } = MESSAGES[name]
      // With no bits set, acknowledgements are no longer negotiated when it is done.
      if (reply !== null || name === 'SET_PROTOCOL_FEATURES') continue
      const pair = full()
      const answers = pair.raw(encodeMessage(id, FLAG_NEED_REPLY, new Uint8Array(request.bytes[0])))
      expect(answers, name).toHaveLength(1)
      expect(answers[0], name).toMatch(/ reply ack=[01]$/)
      expect(pair.session.closed, name).toBe(false)
    }
  })

  test('so do requests that are unknown, not negotiated, or too long', () => {
    const pair = full()
    for (const id of [0, 23, 28, 35, 44, 45, 99, 0xffff_ffff])
      expect(pair.raw(encodeMessage(id, FLAG_NEED_REPLY, new Uint8Array(8)))[0]).toMatch(/reply 0100000000000000$/)
    expect(pair.send('SEND_RARP', 0n, [], true)).toEqual(['SEND_RARP reply ack=1'])
    for (const bytes of [269, 4096, 100_000]) {
      const answers = pair.raw(encodeMessage(MESSAGES.SET_FEATURES.id, FLAG_NEED_REPLY, new Uint8Array(bytes)))
      pair.session.poll()
      expect([...answers, ...pair.replies()]).toEqual(['SET_FEATURES reply ack=1'])
    }
    expect(pair.session.lastRefusal?.message).toBe('SET_FEATURES payload size is 100000; accepted: at most 268')
    expect(pair.send('GET_QUEUE_NUM', null)).toHaveLength(1)
  })

  test('postcopy and in-band notifications are refused by name', () => {
    const pair = full()
    pair.raw(encodeMessage(28, FLAG_NEED_REPLY, new Uint8Array(0)))
    expect(pair.session.lastRefusal?.message).toContain('request is POSTCOPY_ADVISE; accepted: ')
    pair.raw(encodeMessage(35, FLAG_NEED_REPLY, new Uint8Array(8)))
    expect(pair.session.lastRefusal?.message).toMatch(/VRING_KICK; .* INBAND_NOTIFICATIONS \(14\)/)
  })

  test('SET_LOG_BASE answers a status when that is asked for, and nothing but a header when not', () => {
    const pair = full()
    const log = { size: 4096, offset: 0 }
    expect(pair.send('SET_LOG_BASE', log, [pair.host.file('memory')])).toEqual(['SET_LOG_BASE reply'])
    expect(pair.send('SET_LOG_BASE', log, [pair.host.file('memory')], true)).toEqual(['SET_LOG_BASE reply ack=0'])
    const long = { size: 2 ** 30, offset: 0 }
    expect(pair.send('SET_LOG_BASE', long, [pair.host.file('memory')], true)).toEqual(['SET_LOG_BASE reply ack=1'])
    expect(pair.session.closed).toBe(false)
    pair.send('SET_LOG_BASE', long, [pair.host.file('memory')])
    expect(pair.session.closed).toBe(true)
  })
})

describe('the configuration space', () => {
  const read = (pair: SessionPair, offset: number, bytes: number): string[] =>
    pair.send('GET_CONFIG', { offset, flags: 0, bytes: new Uint8Array(bytes) })

  test('is read, and beyond its end answered with no bytes', () => {
    const pair = full()
    expect(read(pair, 2, 3)).toEqual(['GET_CONFIG reply offset=2 flags=0 bytes=030405'])
    for (const [offset, bytes] of [
      [0, 9],
      [8, 1],
      [2 ** 32 - 1, 8],
      [4, 0],
    ] as const)
      expect(read(pair, offset, bytes)).toEqual(['GET_CONFIG reply'])
    expect(pair.session.closed).toBe(false)
  })

  test('is written where the device lets it, and not beyond its end', () => {
    const pair = full()
    const write = (offset: number, flags: number, bytes: number): string[] =>
      pair.send('SET_CONFIG', { offset, flags, bytes: new Uint8Array(bytes).fill(255) }, [], true)
    expect(write(4, 0, 2)).toEqual(['SET_CONFIG reply ack=0'])
    expect(write(6, 1, 2)).toEqual(['SET_CONFIG reply ack=0'])
    expect(pair.device.calls).toEqual(['write 2 at 4', 'write 2 at 6, migration'])
    for (const [offset, flags, bytes] of [
      [0, 0, 1],
      [7, 0, 2],
      [4, 2, 1],
      [0xffff_ffff, 0, 4],
    ] as const)
      expect(write(offset, flags, bytes)).toEqual(['SET_CONFIG reply ack=1'])
    expect(read(pair, 0, 8)).toEqual(['GET_CONFIG reply offset=0 flags=0 bytes=01020304ffffffff'])
  })

  test('tells the driver that it changed, when CONFIG and BACKEND_REQ are negotiated and there is a socket', () => {
    const pair = full()
    expect(pair.device.link!.configChanged()).toBe(false)
    pair.send('SET_BACKEND_REQ_FD', null, [pair.host.file('socket')])
    expect(pair.device.link!.configChanged()).toBe(true)
    expect([...pair.host.sent[0]!]).toEqual([2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
    pair.session.close()
    expect(pair.device.link!.configChanged()).toBe(false)
    expect(pair.leaks()).toEqual([])
  })
})

describe('a request that has to wait', () => {
  test('GET_VRING_BASE is answered when nothing of the ring is in flight, and what comes after it waits', () => {
    const pair = full().start(0, 3)
    pair.device.drained = false
    expect(pair.send('GET_VRING_BASE', { index: 0, num: 0 })).toEqual([])
    expect(pair.session.waiting).toBe(true)
    expect(pair.send('GET_QUEUE_NUM', null)).toEqual([])
    pair.device.drained = true
    pair.session.poll()
    expect(pair.session.waiting).toBe(false)
    expect(pair.replies().join()).toContain('GET_VRING_BASE reply index=0 num=3')
  })

  test('a frontend that hangs up meanwhile leaves nothing', () => {
    const pair = full().start(0)
    pair.device.drained = false
    pair.send('GET_VRING_BASE', { index: 0, num: 0 })
    pair.session.close()
    expect(pair.leaks()).toEqual([])
  })
})

describe('the state of a device', () => {
  test('is saved to a pipe, and loaded from one', () => {
    const pair = full()
    const begin = (direction: number): string[] =>
      pair.send('SET_DEVICE_STATE_FD', { direction, phase: 0 }, [pair.host.file('pipe')])
    expect(begin(DEVICE_STATE_SAVE)).toEqual(['SET_DEVICE_STATE_FD reply 0x100'])
    expect(pair.send('CHECK_DEVICE_STATE', null)).toEqual(['CHECK_DEVICE_STATE reply 0x0'])
    expect(pair.host.stateOut).toEqual([9, 8, 7])
    pair.host.stateIn.push(4, 5)
    begin(DEVICE_STATE_LOAD)
    for (let i = 0; i < 3; i++) pair.session.poll()
    expect(pair.send('CHECK_DEVICE_STATE', null)).toEqual(['CHECK_DEVICE_STATE reply 0x0'])
    expect([...pair.device.state]).toEqual([4, 5])
    pair.session.close()
    expect(pair.leaks()).toEqual([])
  })

  test('that the device refuses, and a transfer while rings run, answer a failure', () => {
    const pair = full()
    pair.host.stateIn.push(1, 2, 3, 4)
    pair.send('SET_DEVICE_STATE_FD', { direction: DEVICE_STATE_LOAD, phase: 0 }, [pair.host.file('pipe')])
    for (let i = 0; i < 3; i++) pair.session.poll()
    expect(pair.send('CHECK_DEVICE_STATE', null)).toEqual(['CHECK_DEVICE_STATE reply 0x1'])
    for (const payload of [
      { direction: 2, phase: 0 },
      { direction: 0, phase: 1 },
    ])
      expect(pair.send('SET_DEVICE_STATE_FD', payload, [pair.host.file('pipe')])).toEqual([
        'SET_DEVICE_STATE_FD reply 0x101',
      ])
    pair.start(0)
    const save = { direction: DEVICE_STATE_SAVE, phase: 0 }
    expect(pair.send('SET_DEVICE_STATE_FD', save, [pair.host.file('pipe')])).toEqual([
      'SET_DEVICE_STATE_FD reply 0x101',
    ])
    expect(pair.session.closed).toBe(false)
    pair.session.close()
    expect(pair.leaks()).toEqual([])
  })

  test('that was not transferred, or that a reset ended, is none that could be checked', () => {
    const pair = full()
    const check = (): string[] => pair.send('CHECK_DEVICE_STATE', null)
    expect(check()).toEqual(['CHECK_DEVICE_STATE reply 0x1'])
    expect(pair.session.lastRefusal?.message).toBe('CHECK_DEVICE_STATE: no state was transferred')
    const load = { direction: DEVICE_STATE_LOAD, phase: 0 }
    pair.host.stateIn.push(4)
    pair.send('SET_DEVICE_STATE_FD', load, [pair.host.file('pipe')])
    pair.send('RESET_OWNER', null)
    expect(check()).toEqual(['CHECK_DEVICE_STATE reply 0x1'])
    pair.send('SET_DEVICE_STATE_FD', load, [pair.host.file('pipe')])
    for (let i = 0; i < 3; i++) pair.session.poll()
    expect([check(), check()]).toEqual([['CHECK_DEVICE_STATE reply 0x0'], ['CHECK_DEVICE_STATE reply 0x0']])
    pair.session.close()
    expect(pair.leaks()).toEqual([])
  })

  test.each([DEVICE_STATE_SAVE, DEVICE_STATE_LOAD])(
    'of a device whose rings start meanwhile is neither taken nor given, direction %i',
    (direction) => {
      const pair = full()
      const waits = pair.host.stream.bind(pair.host)
      pair.host.stream = (fd) => ({ ...waits(fd), read: () => EAGAIN, write: () => EAGAIN })
      pair.send('SET_DEVICE_STATE_FD', { direction, phase: 0 }, [pair.host.file('pipe')])
      expect(pair.session.waiting).toBe(false)
      pair.start(0)
      expect(pair.send('CHECK_DEVICE_STATE', null)).toEqual(['CHECK_DEVICE_STATE reply 0x1'])
      expect(pair.session.lastRefusal?.message).toBe('a transfer: 1 rings are running')
      expect([...pair.device.state]).toEqual([9, 8, 7])
      pair.session.close()
      expect(pair.leaks()).toEqual([])
    },
  )
})

test('a call may be a pipe, a kick may not', () => {
  const pair = full()
  const give = (name: 'SET_VRING_CALL' | 'SET_VRING_ERR' | 'SET_VRING_KICK'): string[] =>
    pair.send(name, { index: 0, hasFd: true }, [pair.host.file('pipe')], true)
  expect(give('SET_VRING_CALL')).toEqual(['SET_VRING_CALL reply ack=0'])
  expect(give('SET_VRING_ERR')).toEqual(['SET_VRING_ERR reply ack=0'])
  expect(give('SET_VRING_KICK')).toEqual(['SET_VRING_KICK reply ack=1'])
  pair.session.close()
  expect(pair.leaks()).toEqual([])
})
