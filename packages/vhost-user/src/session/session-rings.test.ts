import { featureSet, VHOST_USER_F_PROTOCOL_FEATURES } from '@vring/layout'
import { describe, expect, test } from 'vitest'
import { FAKE_MEMORY_BYTES } from '../../test/counting-host.ts'
import { RecyclingDevice } from '../../test/recycling-device.ts'
import { region, SessionPair, USUAL_FEATURES } from '../../test/session-pair.ts'
import type { Refusal } from './refusal.ts'

describe('the session of a backend', () => {
  test('GET_VRING_BASE stops the ring and says where; a new kick starts it from there', () => {
    const pair = new SessionPair().negotiate().start(0, 5)
    const ring = pair.device.rings.get(0)!
    ring.nextAvail = 9
    expect(pair.send('GET_VRING_BASE', { index: 0, num: 0 })).toEqual(['GET_VRING_BASE reply index=0 num=9'])
    expect(pair.session.activeQueues).toEqual([])
    pair.send('SET_VRING_KICK', { index: 0, hasFd: true }, [pair.host.file('event')])
    expect(pair.device.calls.at(-2)).toBe('start 0 at 9')
  })

  test('a ring outside the memory table is refused, and its descriptor closed', () => {
    const pair = new SessionPair().negotiate()
    const desc = 2 ** 40 + FAKE_MEMORY_BYTES - 16
    pair.send('SET_VRING_NUM', { index: 0, num: 256 })
    // Nothing can be said of it before there is memory.
    pair.send('SET_VRING_ADDR', { index: 0, flags: 0, desc, avail: 2 ** 40, used: 2 ** 40 + 4096, log: 0 })
    pair.send('SET_MEM_TABLE', [region()], [pair.host.file('memory')])
    const kick = pair.host.file('event')
    expect(pair.send('SET_VRING_KICK', { index: 0, hasFd: true }, [kick], true)).toEqual(['SET_VRING_KICK reply ack=1'])
    expect(pair.host.open.has(kick)).toBe(false)
    expect(pair.device.calls).toEqual([])
  })

  test('misaligned areas and a ring number out of range are refused', () => {
    const pair = new SessionPair().negotiate().start(0)
    const at = 2 ** 40
    const address = { index: 0, flags: 0, desc: at + 8, avail: at + 0x1000, used: at + 0x2000, log: 0 }
    expect(pair.send('SET_VRING_ADDR', address, [], true)).toEqual(['SET_VRING_ADDR reply ack=1'])
    expect(pair.session.lastRefusal?.code).toBe('ERR_MISALIGNED')
    // Refused is not half done: the ring runs where it was, and its address is what it was.
    expect(pair.session.activeQueues).toEqual([0])
    expect(pair.session.vrings[0]!.address?.desc).toBe(at + 0x1_0000)
    expect(pair.send('SET_VRING_NUM', { index: 2, num: 16 }, [], true)).toEqual(['SET_VRING_NUM reply ack=1'])
    expect(pair.session.lastRefusal?.message).toContain('queue index is 2; accepted: 0 to 1')
  })

  test('a bad size or address without need_reply breaks its ring; the others and the connection go on, a good one mends it', () => {
    for (const [name, payload, message] of [
      ['SET_VRING_NUM', { index: 1, num: 12 }, 'queue size is 12'],
      ['SET_VRING_NUM', { index: 1, num: 0 }, 'queue size is 0'],
      ['SET_VRING_ADDR', { desc: 8 }, 'is 1099511758856; accepted: a multiple of 16'],
      ['SET_VRING_ADDR', { used: 2 ** 41 }, 'accepted: inside the memory table'],
      ['SET_VRING_ADDR', { desc: 2 ** 53 - 16 }, 'accepted: an address from 0 to'],
    ] as const) {
      const refusals: Refusal[] = []
      const pair = new SessionPair(new RecyclingDevice(), { onRefusal: (one) => refusals.push(one) })
      const error = pair.host.file('event')
      pair.negotiate().start(0)
      pair.send('SET_VRING_ERR', { index: 1, hasFd: true }, [error])
      const at = 2 ** 40 + 0x2_0000
      const good = { index: 1, flags: 0, desc: at, avail: at + 0x1000, used: at + 0x2000, log: 0 }
      pair.send('SET_VRING_NUM', { index: 1, num: 16 })
      pair.send('SET_VRING_ADDR', good)
      if (name === 'SET_VRING_NUM') pair.send(name, payload)
      else pair.send(name, { ...good, ...('desc' in payload && payload.desc === 8 ? { desc: at + 8 } : payload) })
      pair.send('SET_VRING_KICK', { index: 1, hasFd: true }, [pair.host.file('event')])
      expect([pair.session.closed, pair.session.activeQueues]).toEqual([false, [0]])
      expect(refusals).toMatchObject([{ request: name, ends: 'ring' }])
      expect(refusals[0]!.error.message).toContain(message)
      expect(pair.session.vrings[1]!.refusal?.request).toBe(name)
      expect(pair.host.signals.get(error)).toBe(1)
      pair.send('GET_VRING_BASE', { index: 1, num: 0 })
      pair.start(1)
      expect([pair.session.activeQueues, pair.session.vrings[1]!.refusal]).toEqual([[0, 1], null])
    }
  })

  test('with need_reply a bad address is refused on its own message, before the ring is kicked', () => {
    const pair = new SessionPair().negotiate().start(0)
    const at = 2 ** 40 + 0x2_0000
    const good = { index: 1, flags: 0, desc: at, avail: at + 0x1000, used: at + 0x2000, log: 0 }
    pair.send('SET_VRING_NUM', { index: 1, num: 16 })
    for (const bad of [{ desc: at + 1 }, { used: 2 ** 41 }, { avail: at + 1 }])
      expect(pair.send('SET_VRING_ADDR', { ...good, ...bad }, [], true)).toEqual(['SET_VRING_ADDR reply ack=1'])
    expect(pair.send('SET_VRING_ADDR', good, [], true)).toEqual(['SET_VRING_ADDR reply ack=0'])
    expect(pair.session.activeQueues).toEqual([0])
  })

  test('a running ring keeps its size and base', () => {
    const pair = new SessionPair().negotiate().start(0)
    for (const name of ['SET_VRING_NUM', 'SET_VRING_BASE'] as const)
      expect(pair.send(name, { index: 0, num: 16 }, [], true)).toEqual([`${name} reply ack=1`])
    expect(pair.session.lastRefusal?.code).toBe('ERR_INVALID_STATE')
  })

  test('a ring that was kicked starts with whatever was missing last', () => {
    const pair = new SessionPair()
    pair.send('SET_PROTOCOL_FEATURES', featureSet(...USUAL_FEATURES))
    pair.send('SET_MEM_TABLE', [region()], [pair.host.file('memory')])
    const at = 2 ** 40
    const address = { flags: 0, desc: at, avail: at + 0x1000, used: at + 0x2000, log: 0 }
    for (const index of [0, 1]) {
      pair.send('SET_VRING_ADDR', { index, ...address })
      pair.send('SET_VRING_KICK', { index, hasFd: true }, [pair.host.file('event')])
    }
    pair.send('SET_VRING_NUM', { index: 0, num: 16 })
    expect(pair.session.activeQueues).toEqual([])
    pair.send('SET_FEATURES', pair.device.features | featureSet(VHOST_USER_F_PROTOCOL_FEATURES))
    expect(pair.session.activeQueues).toEqual([0])
    pair.send('SET_VRING_NUM', { index: 1, num: 16 })
    expect(pair.session.activeQueues).toEqual([0, 1])
  })

  test('a ring that can’t start is told by its error descriptor, and the memory that came is in use', () => {
    const pair = new SessionPair().negotiate()
    const error = pair.host.file('event')
    const at = 2 ** 40
    pair.send('SET_VRING_ADDR', { index: 0, flags: 0, desc: at + 4, avail: at + 0x1000, used: at + 0x2000, log: 0 })
    pair.send('SET_VRING_ERR', { index: 0, hasFd: true }, [error])
    pair.send('SET_VRING_KICK', { index: 0, hasFd: true }, [pair.host.file('event')])
    pair.send('SET_VRING_NUM', { index: 0, num: 16 })
    expect(pair.send('SET_MEM_TABLE', [region()], [pair.host.file('memory')], true)).toEqual([
      'SET_MEM_TABLE reply ack=0',
    ])
    expect(pair.host.signals.get(error)).toBeGreaterThan(0)
    expect(pair.session.activeQueues).toEqual([])
  })
})
