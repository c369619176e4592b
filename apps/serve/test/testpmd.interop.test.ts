import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { testpmdRigMissing as reason, TestpmdRig } from './testpmd-rig.ts'

/** A covering set of ring settings, forwarding and queue pairs. */
const RINGS = [
  ['packed_vq=0,in_order=0,mrg_rxbuf=0', 'txonly', 1],
  ['packed_vq=1,in_order=1,mrg_rxbuf=1', 'io', 1],
  ['packed_vq=1,in_order=1,mrg_rxbuf=0', 'txonly', 2],
  ['packed_vq=1,in_order=0,mrg_rxbuf=1', 'txonly', 2],
  ['packed_vq=0,in_order=1,mrg_rxbuf=0', 'io', 1],
  ['packed_vq=0,in_order=0,mrg_rxbuf=1', 'io', 2],
] as const

describe.skipIf(reason !== null)(`vring-serve with testpmd${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  const rig = new TestpmdRig()

  test('counts what testpmd counts, after one that was killed in mid-burst', async () => {
    await rig.serve('--backend', 'drop')
    rig.drive({ forward: 'txonly' })
    await rig.more(10_000)
    await rig.killed()
    const before = await rig.sent()
    rig.drive({ forward: 'txonly' })
    await rig.more(10_000)
    const count = await rig.quit()
    await rig.hungUp()
    expect((await rig.sent()) - before).toBe(count)
    expect(await rig.daemon.metric('vring_sessions_total')).toBe(2)
    expect(await rig.daemon.metric('process_resident_memory_bytes')).toBeLessThan(120 * 2 ** 20)
    expect(await rig.daemon.end('SIGTERM')).toBe(0)
    expect(existsSync(rig.socket)).toBe(false)
  })

  test('xdp1 in the kernel sees every frame that leaves through a TAP, and the TAP goes with the daemon', async () => {
    await rig.serve('--backend', 'tap:vserve0', '--xdp', 'xdp1')
    await rig.daemon.says(/xdp1 runs on vserve0 in native mode/)
    rig.drive({ forward: 'txonly' })
    await rig.more(10_000)
    const count = await rig.quit()
    await rig.hungUp()
    expect(await rig.sent()).toBe(count)
    // testpmd's packets are UDP.
    expect(await rig.daemon.metric('vring_xdp_kernel_packets_total{counter="rxcnt[17]"}')).toBe(count)
    expect(spawnSync('ip', ['link', 'show', 'vserve0']).status).toBe(0)
    expect(await rig.daemon.end('SIGTERM')).toBe(0)
    expect(spawnSync('ip', ['link', 'show', 'vserve0']).status).not.toBe(0)
  })

  test('frames of two queue pairs leave through two queues of a TAP', async () => {
    await rig.serve('--backend', 'tap:vserve1', '--xdp', 'xdp1', '--queues', '2')
    rig.drive({ forward: 'txonly', queues: 2 })
    await rig.more(10_000)
    const count = await rig.quit()
    await rig.hungUp()
    // testpmd fills its queues in turn, burst by burst; both go at about the same pace.
    const pairs = [await rig.sent(0), await rig.sent(1)] as const
    expect(Math.min(...pairs)).toBeGreaterThan(0.25 * count)
    expect(pairs[0] + pairs[1]).toBe(count)
    expect(await rig.daemon.metric('vring_xdp_kernel_packets_total{counter="rxcnt[17]"}')).toBe(count)
  })

  test('every two values of two settings meet in a ring that is served', () => {
    const settings = RINGS.map(([ring, ...others]) => [...ring.split(','), ...others].map(String))
    const meet = new Set(
      settings.flatMap((row) => row.flatMap((one, at) => row.slice(at + 1).map((other) => `${one} ${other}`))),
    )
    // Two values each of five settings: ten pairs of settings, four of values.
    expect(meet.size).toBe(40)
  })

  test.each(RINGS)(
    'serves a ring with %s, %s, %i pairs, and a driver that comes after one that was killed',
    async (ring, forward, queues) => {
      const backend = forward === 'io' ? 'loopback' : 'drop'
      await rig.serve('--accessor', 'vmap-direct', '--backend', backend, '--queues', String(queues))
      for (const killed of [true, false]) {
        if (forward === 'io') await rig.goRound({ queues, ring })
        else rig.drive({ forward, queues, ring })
        await rig.more(5_000)
        expect(await rig.daemon.metric('vring_connected')).toBe(1)
        if (killed) await rig.killed()
      }
    },
  )
})
