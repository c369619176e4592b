import { clockNs, PollSet } from '@vring/linux'
import { NET_BATCH } from '@vring/vhost-net'
import { expect, test } from 'vitest'
import { batchOf, HEADER, receive, SLOT } from '../test/frames.ts'
import { describeVeth, run, type VethRig } from '../test/veth-rig.ts'
import type { AfXdpQueue } from './index.ts'

/**
 * Two sockets with a bridge between them that lets 10 Mbit/s pass. Frames that wait there hold on to the chunks that
 * they were sent from.
 */
function slowPair(rig: VethRig): [AfXdpQueue, AfXdpQueue] {
  run('ip link add xskA type veth peer name xskB')
  run('ip link add xskC type veth peer name xskD')
  for (const name of ['xskA', 'xskB', 'xskC', 'xskD']) {
    run(`sysctl -qw net.ipv6.conf.${name}.disable_ipv6=1`)
    run(`ip link set ${name} up`)
  }
  run('tc qdisc add dev xskC root tbf rate 10mbit burst 4k limit 10mb')
  run('ip link add xskBr type bridge')
  for (const name of ['xskB', 'xskC']) run(`ip link set ${name} master xskBr`)
  run('ip link set xskBr up')
  return [rig.end('xskA', { mode: 'copy', chunks: 64, ringEntries: 32 }), rig.end('xskD')]
}

describeVeth('back-pressure', (rig) => {
  const { pair } = rig

  test('an interface that is slower than its driver holds it back: no frame is lost, and waiting costs no CPU', () => {
    const [a, b] = slowPair(rig)
    const batch = batchOf(NET_BATCH, 1000)
    // To one station: of broadcast frames the bridge forwards copies, which let their socket go.
    for (let i = 0; i < NET_BATCH; i++) batch.view.u8[batch.offset[i]! + HEADER] = 2
    const poll = new PollSet()
    const total = 4 * NET_BATCH
    let sent = 0
    let refusals = 0
    const start = performance.now()
    const cpu = clockNs('thread')
    while (sent < total || a.unsent) {
      batch.count = Math.min(NET_BATCH, total - sent)
      for (let i = 0; i < batch.count; i++) batch.offset[i] = ((sent + i) % NET_BATCH) * SLOT
      const taken = a.transmit(batch)
      a.flush()
      sent += taken
      if (taken === batch.count && !a.unsent) continue
      refusals++
      poll.watch([], a.roomFd < 0 ? [] : [a.roomFd])
      poll.wait(1)
      if (performance.now() - start > 20_000) break
    }
    expect(sent).toBe(total)
    expect(refusals).toBeGreaterThan(2)
    expect((clockNs('thread') - cpu) / 1e6).toBeLessThan((performance.now() - start) / 2)
    expect(a.counters.txDropped).toEqual({})
    expect(receive(b, total)).toEqual(Array.from({ length: total }, (_, i) => [i % NET_BATCH, 1000]))
  })

  test('without room the rest of a batch is offered again', () => {
    const [a] = pair({ chunks: 64, ringEntries: 32 })
    expect(a.transmit(batchOf(NET_BATCH))).toBe(32)
    expect(a.transmit(batchOf(NET_BATCH))).toBe(0)
    a.flush()
    expect(a.transmit(batchOf(NET_BATCH))).toBeGreaterThan(0)
    expect(a.counters.txDropped).toEqual({})
  })

  test('a receiver that does not consume loses frames, which the kernel counts, and gets the ones it held again', () => {
    const [a, b] = pair({ chunks: 128, ringEntries: 64 })
    for (let i = 0; i < 10; i++) {
      a.transmit(batchOf(20))
      a.flush()
    }
    const first = b.receive()
    expect(b.receive()).toBe(first)
    const count = first.count
    expect(count).toBeGreaterThan(0)
    const second = first.view.u8[first.offset[1]! + HEADER + 14]
    b.consume(1)
    expect(b.receive().count).toBe(count - 1)
    expect(first.view.u8[first.offset[0]! + HEADER + 14]).toBe(second)
    const { rxDropped } = b.counters
    expect(Object.values(rxDropped).reduce((sum, frames) => sum + frames, 0)).toBeGreaterThan(0)
  })
})
