import { spawnSync } from 'node:child_process'
import { AccessCounters, CopyWindow, plainCpu, UncheckedUser2019 } from '@vring/accessor'
import { featureSet, splitRingAreas, VIRTIO_F_VERSION_1 } from '@vring/layout'
import { GuestMap, MappedSpace, memoryView } from '@vring/memory'
import { NET_BATCH, RxRound, TxRound } from '@vring/vhost-net'
import { createDeviceQueue, createDriverQueue } from '@vring/virtqueue'
import { XDP_DROP } from '@vring/xdp'
import { expect, test } from 'vitest'
import { batchOf, describeLinuxTap, drain, HEADER, ip, SLOT } from '../../test/linux-tap-fixture.ts'
import { CountingXdp } from '../linux.ts'

describeLinuxTap('a Linux TAP at the end of the rounds of a driver', ({ keep, open, serve }) => {
  test('the chains of a driver reach the program through a transmit round, in place, from several memory regions', () => {
    const tap = open()
    const drop = keep(new CountingXdp(XDP_DROP))
    tap.attachXdp(drop.program)
    const backend = serve(tap)
    const { driver, memory, parts } = guest()
    const round = new TxRound({ ...parts, backend })
    for (let i = 0; i < 3; i++) {
      const batch = batchOf(NET_BATCH, 60)
      for (let chain = 0; chain < 200; chain++) {
        const { guestAddress, view } = memory[chain % 2]!
        view.u8.set(batch.view.u8.subarray(0, HEADER + 60), chain * SLOT)
        driver.addOne(guestAddress + chain * SLOT, HEADER + 60, false)
      }
      driver.publish()
      expect(round.run()).toBe(200)
      expect(driver.reclaim()).toBe(200)
    }
    expect(drop.frames).toBe(600)
    expect(backend.counters).toMatchObject({ txFrames: 600, txBytes: 36_000, txDropped: {} })
  })

  test('frames of the stack reach the buffers of a driver through a receive round', () => {
    const source = serve(open({ name: 'vringin' }))
    ip('addr', 'add', '10.6.0.1/24', 'dev', 'vringin')
    ip('neigh', 'replace', '10.6.0.2', 'lladdr', '02:00:00:00:00:09', 'dev', 'vringin')
    drain(source)
    const { driver, memory, parts } = guest()
    const { guestAddress, view } = memory[0]!
    for (let i = 0; i < 64; i++) driver.addOne(guestAddress + i * SLOT, SLOT, true)
    driver.publish()
    const round = new RxRound({ ...parts, source })
    spawnSync('bash', ['-c', 'for i in 1 2 3; do echo -n "datagram $i" > /dev/udp/10.6.0.2/9; done'])
    for (const end = performance.now() + 2000; round.frames < 3 && performance.now() < end; ) round.run()
    const texts = Array.from({ length: round.frames }, (_, i) => Buffer.from(view.u8.buffer, i * SLOT, SLOT))
      .map((slot) => slot.subarray(HEADER))
      .filter((frame) => frame.readUInt16BE(12) === 0x0800)
      .map((frame) => frame.toString('latin1', 42, 42 + frame.readUInt16BE(38) - 8))
    expect(texts).toEqual(['datagram 1', 'datagram 2', 'datagram 3'])
    expect(driver.reclaim()).toBe(round.frames)
  })
})

/** A driver's queue in two regions of guest memory, each in a view of its own, and what a round over it is made of. */
function guest() {
  const bytes = 2 ** 20
  const features = featureSet(VIRTIO_F_VERSION_1)
  const memory = [0x10_0000, 0x80_0000].map((guestAddress, index) => {
    return { guestAddress, userAddress: 0x7f00_0000_0000 + index * 2 * bytes, view: memoryView(new ArrayBuffer(bytes)) }
  })
  const space = new MappedSpace(
    memory.map(({ userAddress, view }) => ({ address: userAddress, length: bytes, view, viewOffset: 0 })),
  )
  const buffers = new GuestMap(
    space,
    memory.map(({ guestAddress, userAddress }) => ({ guestAddress, userAddress, length: bytes })),
  )
  const base = memory[0]!.userAddress + bytes - 0x1_0000
  const ring = splitRingAreas(256, false, base, base + 0x4000, base + 0x8000)
  const user = new UncheckedUser2019(plainCpu, space)
  const accessor = {
    name: 'test',
    desc: new CopyWindow(user, ring.desc),
    driver: new CopyWindow(user, ring.driver),
    device: new CopyWindow(user, ring.device),
    lease: null,
    beginRound: () => 'ready' as const,
    endRound: () => {},
    counters: new AccessCounters(),
    close: () => {},
  }
  const queue = createDeviceQueue({ accessor, cpu: plainCpu, ring, features, buffers })
  queue.start(0)
  const driver = createDriverQueue({ ring, memory: space, features })
  return { driver, memory, parts: { queue, buffers, cpu: plainCpu, features } }
}
