import assert from 'node:assert/strict'
import { headRewritten } from '@vring/explorer'
import { findingIn } from '../explored.ts'
import type { Fault } from '../fault.ts'
import { covers, descriptor, expose, racedQueue, WAYS } from '../rings.ts'

const READER = 'packages/virtqueue/src/split/split-reader.ts'

export const fault: Fault = {
  id: 'CVE-2026-86846',
  system: 'DPDK vhost, crypto',
  fault: 'an entry of the avail ring selects a descriptor unchecked',
  here: READER,
  holds: 'a head beyond the ring breaks it before a descriptor is loaded, also when it becomes one after a look',
  notHere: null,
  explored: () => findingIn(headRewritten),
  mutants: [
    {
      change: 'the loop over a lease checks no head',
      file: READER,
      from: 'if (!cpu.predict(head < queueSize)) break\n',
      to: ';\n',
    },
    {
      change: 'the loop by windows checks no head',
      file: READER,
      from: "if (!cpu.predict(head < queueSize)) return loaded > from ? loaded : this.refuse('head-out-of-range', EINVAL)\n",
      to: ';\n',
    },
    {
      change: 'the head that is used from a second load',
      file: READER,
      from: 'used[2 * chain] = head\n',
      to: 'used[2 * chain] = cpu.load16(driver16, ring + ((nextAvail + chain) & mask))\n',
      race: true,
    },
  ],
  run() {
    for (const way of WAYS) {
      for (const head of [8, 0x7fff, 0xffff]) {
        const q = racedQueue({ way }, ({ ring }, _, at, length) =>
          assert.ok(at + length <= ring.device.address + ring.device.length, 'a load outside the ring'),
        )
        descriptor(q, 0, q.heap, 64, 0)
        expose(q, head)
        assert.ok(q.device.popBatch(q.batch, 8) < 0)
        assert.equal(q.device.broken, 'head-out-of-range')
      }
      const q = racedQueue({ way }, ({ raw, ring }, _, at, length) => {
        if (covers(at, length, ring.driver.address + 4)) raw.driver.store16(4, 0xffff)
      })
      descriptor(q, 3, q.heap, 64, 0)
      expose(q, 3)
      if (q.device.popBatch(q.batch, 8) > 0) assert.equal(q.batch.idOf(0), 3)
      else assert.equal(q.device.broken, 'head-out-of-range')
    }
  },
}
