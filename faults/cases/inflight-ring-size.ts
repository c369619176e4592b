import assert from 'node:assert/strict'
import type { Fault } from '../fault.ts'
import { trackingSession } from '../sessions.ts'

const INFLIGHT = 'packages/vhost-user/src/inflight/session-inflight.ts'

export const fault: Fault = {
  id: 'CVE-2026-86565',
  system: 'DPDK vhost, inflight',
  fault: 'a ring becomes larger than its inflight table was made for, and the table is written out of bounds',
  here: INFLIGHT,
  holds: 'a ring of another size than its inflight area does not start, and a running one keeps its size',
  notHere: null,
  explored: 'sizes are set by messages, which the thread that serves the rings handles between two rounds',
  mutants: [
    {
      change: 'sizes of ring and area are not compared',
      file: INFLIGHT,
      from: 'if (queueSize !== area.queueSize)\n',
      to: 'if (queueSize < 0)\n',
    },
    {
      change: 'the size of a running ring can be set',
      file: 'packages/vhost-user/src/session/session-handlers.ts',
      from: "const vring = rings.stoppedAt(index, 'SET_VRING_NUM')\n",
      to: 'const vring = rings.at(index)\n',
    },
  ],
  run() {
    const asked = { size: 0, offset: 0, queueCount: 2, queueSize: 16 }
    const pair = trackingSession()
    pair.send('GET_INFLIGHT_FD', asked)
    pair.start(0)
    assert.deepEqual([pair.session.activeQueues, pair.device.vring?.inflight?.queueSize], [[0], 16])
    const resize = (num: number): string[] => pair.send('SET_VRING_NUM', { index: 0, num }, [], true)
    assert.deepEqual(resize(256), ['SET_VRING_NUM reply ack=1'])
    assert.deepEqual([pair.session.activeQueues, pair.session.vrings[0]!.size], [[0], 16])
    // Stopped, it may change its size; with the area of the old one it does not start.
    pair.send('GET_VRING_BASE', { index: 0, num: 0 })
    for (const size of [8, 32, 256, 32768]) {
      assert.deepEqual(resize(size), ['SET_VRING_NUM reply ack=0'])
      pair.send('SET_VRING_KICK', { index: 0, hasFd: true }, [pair.host.file('event')], true)
      assert.deepEqual([pair.session.closed, pair.session.activeQueues], [false, []], `a ring of ${size}`)
    }
    resize(16)
    pair.send('SET_VRING_KICK', { index: 0, hasFd: true }, [pair.host.file('event')], true)
    assert.deepEqual(pair.session.activeQueues, [0])
    pair.session.close()
    assert.deepEqual(pair.leaks(), [])
    // A ring that never ran: its part of the area has nothing in it yet.
    const fresh = trackingSession()
    fresh.send('GET_INFLIGHT_FD', { ...asked, queueSize: 64 })
    fresh.start(0)
    assert.deepEqual([fresh.session.closed, fresh.session.activeQueues], [false, []], 'a ring of 16, an area for 64')
  },
}
