import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { holdings } from './leftovers.ts'
import { testpmdRigMissing as reason, TestpmdRig } from './testpmd-rig.ts'

const THREADS = ['--queues', '2', '--threads', '2']

describe.skipIf(reason !== null)(`two pairs over two threads${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  const rig = new TestpmdRig()

  test('frames go round in both, after drivers that were killed in mid-burst, and nothing of those is left', async () => {
    await rig.serve(...THREADS, '--backend', 'loopback')
    const pid = rig.daemon.child.pid!
    const before = holdings(pid)
    for (const ring of ['packed_vq=0', 'packed_vq=1,in_order=1']) {
      await rig.goRound({ queues: 2, ring })
      await rig.more(5_000)
      await rig.killed()
      expect(holdings(pid).sharedMappings).toBe(before.sharedMappings)
    }
    for (const thread of [0, 1])
      expect(await rig.daemon.metric(`vring_round_seconds_count{thread="${thread}"}`)).toBeGreaterThan(0)
    expect(await rig.daemon.metric('vring_sessions_total')).toBe(2)
    expect(await rig.daemon.end('SIGTERM')).toBe(0)
  })

  test('frames of both leave through their queues of a TAP, and all are seen by its program', async () => {
    await rig.serve(...THREADS, '--backend', 'tap:vthread0', '--xdp', 'xdp1')
    for (const killed of [true, false]) {
      rig.drive({ forward: 'txonly', queues: 2 })
      await rig.more(5_000)
      if (killed) await rig.killed()
      else await rig.quit()
      await rig.hungUp()
    }
    const seen = await rig.daemon.metric('vring_xdp_kernel_packets_total{counter="rxcnt[17]"}')
    expect((await rig.sent(0)) + (await rig.sent(1))).toBe(seen)
    expect(await rig.daemon.end('SIGTERM')).toBe(0)
    expect(spawnSync('ip', ['link', 'show', 'vthread0']).status).not.toBe(0)
  })
})
