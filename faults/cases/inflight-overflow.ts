import assert from 'node:assert/strict'
import { InflightSplit } from '@vring/vhost-user'
import type { Fault } from '../fault.ts'
import { trackingSession } from '../sessions.ts'

const INFLIGHT = 'packages/vhost-user/src/inflight/session-inflight.ts'
const SPLIT = 'packages/vhost-user/src/inflight/inflight-split.ts'

export const fault: Fault = {
  id: 'QEMU issue 3974',
  system: 'libvhost-user, inflight',
  fault: 'the check of an inflight area overflows, and its tables lie beyond the mapping',
  here: INFLIGHT,
  holds: 'an inflight area is as long as its queues need, in whole numbers; what stands in it leads nowhere else',
  notHere: null,
  explored: 'the area is looked at when it is set, and what stands in it is checked where it is used',
  mutants: [
    {
      change: 'the length that is said is not compared with what the queues need',
      file: INFLIGHT,
      from: 'if (given.size < bytes)\n',
      to: 'if (given.size < 0)\n',
    },
    {
      change: 'lengths are computed in 16 bits',
      file: INFLIGHT,
      from: 'return queueCount * queueBytes(',
      to: 'return 0xffff & queueCount * queueBytes(',
    },
    {
      change: 'the list of the last batch is followed wherever it leads',
      file: SPLIT,
      from: 'i < published && i < this.queueSize && head < this.queueSize; i++',
      to: 'i < published; i++',
    },
  ],
  run() {
    const pair = trackingSession()
    const give = (over: object): string[] => {
      const given = { size: 2 ** 20, offset: 0, queueCount: 1, queueSize: 16, ...over }
      return pair.send('SET_INFLIGHT_FD', given, [pair.host.file('memory')], true)
    }
    for (const over of [
      { size: 0 },
      { size: 319 },
      { size: 2 ** 53 - 1, offset: 2 ** 53 - 8 },
      { offset: 2 ** 53 - 8 },
      { offset: 2 ** 32 - 8 },
      { queueCount: 2, queueSize: 32768, size: 2 ** 20 - 1 },
      { queueCount: 2, queueSize: 32768, size: 128 },
      { queueCount: 0xffff },
      { queueSize: 0xffff },
      { queueCount: 0 },
      { queueSize: 0 },
    ])
      assert.deepEqual(give(over), ['SET_INFLIGHT_FD reply ack=1'], JSON.stringify(over))
    assert.equal(pair.host.mapped, 0)
    assert.deepEqual(give({}), ['SET_INFLIGHT_FD reply ack=0'])
    pair.session.close()
    assert.deepEqual(pair.leaks(), [])
    // What a frontend writes into it: heads and `next` beyond the ring, a batch without end.
    for (const head of [8, 0x7fff, 0xffff]) {
      const buffer = new ArrayBuffer(4096)
      const view = new DataView(buffer)
      view.setUint16(8, 1, true)
      view.setUint16(10, 8, true)
      view.setUint16(12, head, true)
      const before = new Uint8Array(buffer.slice(0))
      assert.doesNotThrow(() => new InflightSplit(buffer, 0, 8).recover(0xffff))
      view.setUint16(14, 0, true)
      assert.deepEqual(new Uint8Array(buffer), before)
    }
  },
}
