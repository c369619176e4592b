import { VIRTIO_F_RING_PACKED } from '@vring/layout'
import type { MemoryView } from '@vring/memory'
import { describe, expect, test } from 'vitest'
import { ALL, FullDevice, full } from '../../test/full-device.ts'
import { SessionPair } from '../../test/session-pair.ts'
import { queueBytes } from '../inflight/session-inflight.ts'
import type { InflightPayload } from '../messages/payload.ts'
import type { Refusal } from './refusal.ts'

describe('the inflight area', () => {
  const asked: InflightPayload = { size: 0, offset: 0, queueCount: 2, queueSize: 16 }

  test('is made for a frontend that asks, and each ring has its part', () => {
    const pair = full()
    const [reply] = pair.send('GET_INFLIGHT_FD', asked)
    expect(reply).toBe('GET_INFLIGHT_FD reply size=4096 offset=0 queueCount=2 queueSize=16')
    expect(pair.trace.at(-1)).toMatch(/ fds=\d+$/)
    expect(pair.start(1).device.vring!.inflight?.queueSize).toBe(16)
    pair.session.close()
    expect(pair.leaks()).toEqual([])
  })

  test('of the wrong size or shape, or while rings run, is refused and the one before stays', () => {
    const pair = full()
    pair.send('GET_INFLIGHT_FD', asked)
    const give = (over: Partial<InflightPayload>): string[] =>
      pair.send('SET_INFLIGHT_FD', { ...asked, size: 4096, ...over }, [pair.host.file('memory')], true)
    const refused = ['SET_INFLIGHT_FD reply ack=1']
    for (const over of [{ size: 639 }, { queueCount: 0 }, { queueCount: 3 }, { queueSize: 0 }, { queueSize: 40_000 }])
      expect(give(over)).toEqual(refused)
    for (const over of [{ offset: 4 }, { offset: 2 ** 40 }, { queueSize: 32768 }]) expect(give(over)).toEqual(refused)
    expect(pair.host.mapped).toBe(1)
    pair.start(0)
    expect(give({})).toEqual(refused)
    expect(pair.session.lastRefusal?.code).toBe('ERR_INVALID_STATE')
    expect(pair.session.closed).toBe(false)
    pair.session.close()
    expect(pair.leaks()).toEqual([])
  })

  test('of another session is refused', () => {
    const one = full()
    const other = full()
    const fd = one.host.file('memory')
    other.host.open.set(fd, 'memory')
    const give = (pair: SessionPair): string[] => pair.send('SET_INFLIGHT_FD', { ...asked, size: 4096 }, [fd], true)
    expect(give(one)).toEqual(['SET_INFLIGHT_FD reply ack=0'])
    expect(give(other)).toEqual(['SET_INFLIGHT_FD reply ack=1'])
    expect(other.session.lastRefusal?.message).toContain('in use by another session')
    one.session.close()
    other.host.open.set(fd, 'memory')
    expect(give(other)).toEqual(['SET_INFLIGHT_FD reply ack=0'])
    other.session.close()
  })

  test('CVE-2026-86565 a ring of another size than the area was made for does not start', () => {
    const pair = full()
    pair.send('GET_INFLIGHT_FD', { ...asked, queueSize: 8 })
    pair.start(0)
    expect(pair.session.activeQueues).toEqual([])
    expect(pair.device.calls).toEqual([])
    pair.session.close()
  })

  test.each([
    ['version', 8, 'inflight version is 2; accepted: 0 (unused) or 1'],
    ['size', 10, 'inflight desc_num is 2; accepted: 16, the size of the ring'],
  ])('of another %s breaks the ring whose part it is; the others and the connection go on', (_, at, message) => {
    const refusals: Refusal[] = []
    const notes: string[] = []
    const options = { onRefusal: (one: Refusal) => refusals.push(one), onNote: (line: string) => notes.push(line) }
    const pair = new SessionPair(new FullDevice(), options).negotiate(ALL)
    const { host, session } = pair
    const error = host.file('event')
    const map = host.mapMemory.bind(host)
    host.mapMemory = (fd, offset, length) => {
      const memory = map(fd, offset, length)
      // What a backend of another make left in the second ring's part, or a frontend wrote there.
      const header = new Uint16Array((memory.windows[0]!.view as MemoryView).buffer, queueBytes(16, false))
      header.set([1, 16], 4)
      header[at / 2] = 2
      return memory
    }
    pair.send('SET_INFLIGHT_FD', { ...asked, size: 4096 }, [host.file('memory')])
    host.mapMemory = map
    pair.send('SET_VRING_ERR', { index: 1, hasFd: true }, [error])
    pair.start(1).start(0)
    expect([session.closed, session.activeQueues]).toEqual([false, [0]])
    expect(refusals).toMatchObject([{ request: 'SET_VRING_KICK', ends: 'ring', error: { message } }])
    expect([session.vrings[1]!.refusal?.error.message, host.signals.get(error)]).toEqual([message, 1])
    // Started by something else than its kick it says why, too, and once.
    pair.send('SET_VRING_NUM', { index: 1, num: 0 })
    pair.send('SET_VRING_KICK', { index: 1, hasFd: true }, [host.file('event')])
    for (let i = 0; i < 3; i++) pair.send('SET_VRING_NUM', { index: 1, num: 16 })
    expect(notes).toEqual([`queue 1 does not start: ${message}`])
    session.close()
    expect(pair.leaks()).toEqual([])
  })

  test('has the layout of packed rings when those are negotiated', () => {
    const device = new FullDevice()
    device.features |= 1n << BigInt(VIRTIO_F_RING_PACKED)
    const pair = new SessionPair(device).negotiate(ALL)
    pair.send('SET_FEATURES', device.features | (1n << 30n))
    const answers = pair.send('GET_INFLIGHT_FD', { ...asked, queueSize: 256 })
    expect(pair.session.error).toBeNull()
    expect(answers[0]).toContain('size=20480')
    pair.session.close()
  })
})
