import { copyChecked } from '@vring/accessor-copy-checked'
import { iotlbTranslated } from '@vring/accessor-iotlb-translated'
import { vmapDirect } from '@vring/accessor-vmap-direct'
import { featureSet, type RingAreas, splitRingAreas, VIRTIO_F_ACCESS_PLATFORM, VIRTIO_F_VERSION_1 } from '@vring/layout'
import { clockNs, EventFd, processResources, UnixSocket, unsupportedHost } from '@vring/linux'
import { DirtyBitmap, memoryView } from '@vring/memory'
import { FrameBatch, type FrameSource, LoopbackBackend, type NetBackend, XdpBackend } from '@vring/vhost-net'
import { BackendSession, FrontendMemory, linuxHost, VhostUserFrontend, VhostUserWorker } from '@vring/vhost-user'
import { createDriverQueue, type DriverQueue } from '@vring/virtqueue'
import { Xdp1 } from '@vring/xdp'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NetDevice, type NetDeviceOptions } from './net-device.ts'

const reason = unsupportedHost()
const FEATURES = featureSet(VIRTIO_F_VERSION_1)
const GUEST = 0x8000_0000
const BUFFERS = 0x8_0000

/** Takes as many frames as it has room for; notes the size of each. */
class SlowBackend implements NetBackend {
  readonly name = 'slow'
  readonly sizes: number[] = []
  readonly counters = { txFrames: 0, txBytes: 0, txDropped: {} }
  room: number
  unsent = false
  roomFd = -1
  flushes = 0
  refusals = 0
  forgotten = 0
  onTaken = (): void => {}

  constructor(room: number) {
    this.room = room
  }

  transmit({ count, length }: FrameBatch): number {
    const taken = Math.min(count, this.room)
    this.room -= taken
    if (taken < count) this.refusals++
    for (let i = 0; i < taken; i++) this.sizes.push(length[i]! - 12)
    this.onTaken()
    return taken
  }

  flush(): void {
    this.flushes++
  }

  forgetMemory(): void {
    this.forgotten++
  }

  close(): void {}
}

/** A device, its session and a driver over a socket pair, in one thread. */
class Bench {
  readonly memory = new FrontendMemory({ bytes: 1 << 20, guestAddress: GUEST })
  readonly backend = new XdpBackend(new Xdp1())
  readonly device: NetDevice
  readonly session: BackendSession
  readonly frontend: VhostUserFrontend

  constructor(options: Partial<NetDeviceOptions> = {}, features: bigint = FEATURES) {
    const [one, transport] = UnixSocket.pair()
    this.device = new NetDevice({ accessor: vmapDirect, backend: () => this.backend, ...options })
    this.session = new BackendSession({ transport, device: this.device, host: linuxHost })
    this.frontend = new VhostUserFrontend({ transport: one, wait: () => void this.session.poll() })
    this.frontend.negotiate(features)
    this.frontend.shareMemory([this.memory])
    // The view is the one of the address that was resolved last.
    this.memory.space.resolve(this.memory.region.userAddress, 4, 1)
  }

  ring(index: number): RingAreas {
    const at = this.memory.region.userAddress + 0x1_0000 * index
    return splitRingAreas(256, false, at, at + 0x4000, at + 0x8000)
  }

  driver(index: number): DriverQueue {
    const ring = this.ring(index)
    const driver = createDriverQueue({ ring, memory: this.memory.space, features: FEATURES })
    this.frontend.startQueue(index, ring)
    return driver
  }

  /** Starts a ring that was stopped, and does not enable it. @returns what the driver kicks with */
  start(index: number, base: number): EventFd {
    const kick = EventFd.create()
    this.frontend.callAll([
      ['SET_VRING_ENABLE', { index, num: 0 }],
      ['SET_VRING_BASE', { index, num: base }],
      ['SET_VRING_KICK', { index, hasFd: true }, [kick.fd]],
    ])
    return kick
  }

  /** Writes `count` UDP frames, each with a size of its own, and makes them available. */
  send(driver: DriverQueue, count: number): void {
    const { u8 } = this.memory.space.view
    for (const [i, size] of this.sizes(count).entries()) {
      u8.set([0x08, 0x00, 0x45], BUFFERS + 2048 * (i % 64) + 12 + 12)
      u8[BUFFERS + 2048 * (i % 64) + 12 + 14 + 9] = 17
      driver.addOne(GUEST + BUFFERS + 2048 * (i % 64), 12 + size, false)
    }
    driver.publish()
  }

  /** Bytes of the frames that {@link send} sends. */
  sizes(count: number): number[] {
    return Array.from({ length: count }, (_, i) => 64 + i)
  }

  close(): void {
    this.frontend.close()
    this.session.poll()
    this.memory.close()
  }
}

describe.skipIf(reason !== null)(`NetDevice${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let before: number
  let bench: Bench
  beforeEach(() => {
    before = processResources().openFds
  })
  afterEach(() => {
    bench.close()
    expect(processResources().openFds).toBe(before)
  })

  test.each([
    ['vmap-direct', vmapDirect, 'desc.direct'],
    ['copy-checked', copyChecked, 'desc.copy'],
  ])('a driver’s frames reach the program through %s', (_name, accessor, mode) => {
    bench = new Bench({ accessor })
    const driver = bench.driver(1)
    bench.send(driver, 100)
    expect(bench.device.serveQueue(1)).toBe(100)
    expect(driver.reclaim()).toBe(100)
    expect(bench.backend.verdicts[1]).toBe(100)
    expect(bench.device.report()).toMatchObject([{ index: 1, broken: null, accesses: { [mode]: 100 } }])
  })

  test('goes on from the used index after a device that was killed, when the frontend says 0', () => {
    bench = new Bench()
    const driver = bench.driver(1)
    bench.send(driver, 200)
    expect(bench.device.serveQueue(1)).toBe(200)
    expect(driver.reclaim()).toBe(200)
    bench.send(driver, 200)
    // The device that took 200 of 400 is gone; its successor is told nothing of it. DPDK's virtio_user does this.
    bench.frontend.stopQueue(1)
    bench.frontend.startQueue(1, bench.ring(1), 0)
    expect(bench.device.serveQueue(1)).toBe(200)
    expect(driver.reclaim()).toBe(200)
    expect(bench.device.report()[0]).toMatchObject({ index: 1, broken: null })
  })

  test('virtio 1.3 5.1.2 even queues receive', () => {
    const batch = new FrameBatch(12, memoryView(new ArrayBuffer(4096)))
    batch.count = 1
    batch.length[0] = 12 + 64
    batch.view.u8.fill(0xab, 12, 12 + 64)
    const source: FrameSource = {
      receive: () => batch,
      consume: (count) => {
        batch.count -= count
      },
    }
    bench = new Bench({ source: () => source })
    const driver = bench.driver(0)
    driver.addOne(GUEST + BUFFERS, 2048, true)
    driver.publish()
    expect(bench.device.serveQueue(0)).toBe(1)
    expect(driver.getUsed()).toBe(true)
    expect(driver.usedLength).toBe(12 + 64)
    expect(bench.memory.space.view.u8[BUFFERS + 12]).toBe(0xab)
  })

  test('one object may be both ends of a pair: what the driver sends comes back', () => {
    const loop = new LoopbackBackend()
    bench = new Bench({ backend: () => loop, source: () => loop })
    const [receiver, sender] = [bench.driver(0), bench.driver(1)]
    for (let i = 0; i < 40; i++) receiver.addOne(GUEST + BUFFERS + 0x4_0000 + 2048 * i, 2048, true)
    receiver.publish()
    bench.send(sender, 64)
    // Given back within the round that takes them; what the driver has no buffers for waits.
    expect([bench.device.serveQueue(1), receiver.reclaim(), loop.waiting]).toEqual([64, 40, 24])
    expect(bench.device.serveQueue(0)).toBe(0)
    expect(bench.device.report()[0]).toMatchObject({
      delivered: { frames: 40, bytes: bench.sizes(40).reduce((sum, size) => sum + size) },
      dropped: {},
    })
    expect(bench.device.report()[1]).toMatchObject({ delivered: null, dropped: {} })
  })

  test('a receive ring that is disabled or stopped takes nothing within a transmit round', () => {
    const loop = new LoopbackBackend()
    bench = new Bench({ backend: () => loop, source: () => loop })
    const [receiver, sender] = [bench.driver(0), bench.driver(1)]
    const turn = (): number[] => {
      receiver.addOne(GUEST + BUFFERS + 0x4_0000, 2048, true)
      receiver.publish()
      bench.send(sender, 1)
      bench.device.serveQueue(1)
      return [receiver.reclaim(), loop.waiting]
    }
    expect(turn()).toEqual([1, 0])
    bench.frontend.call('SET_VRING_ENABLE', { index: 0, num: 0 })
    expect(turn()).toEqual([0, 1])
    bench.frontend.call('SET_VRING_ENABLE', { index: 0, num: 1 })
    expect([turn(), bench.device.serveQueue(0), receiver.reclaim()]).toEqual([[0, 2], 2, 2])
    bench.device.stopQueue(0)
    bench.send(sender, 1)
    expect([bench.device.serveQueue(1), loop.waiting]).toEqual([1, 1])
  })

  test('a source wakes the loop while the driver can take its frames, and a driver without buffers is asked to kick', () => {
    const batch = new FrameBatch(12, memoryView(new ArrayBuffer(4096)))
    batch.length[0] = 12 + 64
    const source: FrameSource & { wakeFd: number } = {
      wakeFd: 77,
      receive: () => batch,
      consume: (count) => {
        batch.count -= count
      },
    }
    bench = new Bench({ source: () => source })
    expect(bench.device.wakeFds).toEqual([])
    const driver = bench.driver(0)
    const awake = bench.device.wakeFds
    expect(awake).toEqual([77])
    expect(bench.device.wakeFds).toBe(awake)
    batch.count = 1
    expect(bench.device.serveQueue(0)).toBe(0)
    expect(bench.device.wakeFds).toEqual([])
    expect(bench.device.armQueue(0)).toBe(false)
    driver.addOne(GUEST + BUFFERS, 2048, true)
    driver.publish()
    expect(driver.needsKick()).toBe(true)
    expect(bench.device.serveQueue(0)).toBe(1)
    expect(bench.device.wakeFds).toEqual([77])
    source.wakeFd = -1
    expect(bench.device.wakeFds).toEqual([])
  })

  test('a backend without room is waited for by its descriptor, or for a millisecond; kicks are not asked for', () => {
    const backend = new SlowBackend(3)
    bench = new Bench({ backend: () => backend })
    const { device } = bench
    const driver = bench.driver(1)
    bench.send(driver, 10)
    expect([device.sleepMs, device.roomFds]).toEqual([-1, []])
    expect([device.serveQueue(1), device.armQueue(1), device.serveQueue(1)]).toEqual([3, false, 0])
    expect([device.sleepMs, device.roomFds, driver.needsKick()]).toEqual([1, [], false])
    backend.roomFd = 77
    const full = device.roomFds
    expect(full).toEqual([77])
    expect(device.roomFds).toBe(full)
    backend.room = 64
    expect([device.serveQueue(1), device.armQueue(1)]).toEqual([7, false])
    expect([device.sleepMs, device.roomFds]).toEqual([-1, []])
    expect(backend.sizes).toEqual(bench.sizes(10))
  })

  test('frames that a backend could not send are sent when the queue is idle', () => {
    const backend = new SlowBackend(64)
    bench = new Bench({ backend: () => backend })
    const { device } = bench
    const driver = bench.driver(1)
    bench.send(driver, 10)
    backend.unsent = true
    expect([device.serveQueue(1), device.armQueue(1), device.sleepMs]).toEqual([10, false, 1])
    // The driver may send more meanwhile.
    expect(driver.needsKick()).toBe(true)
    const { flushes } = backend
    expect([device.serveQueue(1), backend.flushes]).toEqual([0, flushes + 1])
    backend.unsent = false
    expect([device.serveQueue(1), backend.flushes, device.sleepMs]).toEqual([0, flushes + 1, -1])
  })

  test('a backend that is full for 200 ms costs little CPU; nothing is lost or reordered, and other queues go on', () => {
    const slow = new SlowBackend(100)
    const other = new SlowBackend(Number.POSITIVE_INFINITY)
    bench = new Bench({ queuePairs: 2, backend: (pair) => (pair === 0 ? slow : other) })
    const [full, free] = [bench.driver(1), bench.driver(3)]
    bench.send(full, 250)
    const wake = EventFd.create()
    slow.onTaken = () => {
      if (slow.sizes.length === 250) wake.signal()
    }
    const start = performance.now()
    const cpu = clockNs('thread')
    let rounds = 0
    let answered = 0
    const worker = new VhostUserWorker({
      wakeFd: wake.fd,
      // Asked after every sleep: the driver of the other queue sends, and gets its buffers back by the next time.
      shouldStop: () => {
        if (free.reclaim() > 0) answered++
        if (performance.now() - start > 200) slow.room = Number.POSITIVE_INFINITY
        if (rounds < 20 && rounds === answered) {
          bench.send(free, 10)
          rounds++
        }
        return slow.sizes.length === 250 && answered === 20
      },
    })
    worker.add(bench.session, bench.device)
    expect(worker.run()).toBe('stopped')
    expect(performance.now() - start).toBeGreaterThan(200)
    expect((clockNs('thread') - cpu) / 1e6).toBeLessThan(100)
    expect(slow.refusals).toBeGreaterThan(5)
    expect(slow.sizes).toEqual(bench.sizes(250))
    expect(full.reclaim()).toBe(250)
    expect(other.sizes.length).toBe(200)
    wake.close()
  })

  test('a disabled transmit queue drops, an enabled one does not', () => {
    bench = new Bench()
    const driver = bench.driver(1)
    bench.device.setQueueEnabled(1, false)
    bench.send(driver, 10)
    expect(bench.device.serveQueue(1)).toBe(10)
    expect(driver.reclaim()).toBe(10)
    expect(bench.backend.counters.txFrames).toBe(0)
    bench.device.setQueueEnabled(1, true)
    bench.send(driver, 10)
    expect(bench.device.serveQueue(1)).toBe(10)
    expect(bench.backend.counters.txFrames).toBe(10)
  })

  test('vhost-user "Ring states": a transmit queue that goes on disabled keeps its frames until it is enabled', () => {
    bench = new Bench()
    const driver = bench.driver(1)
    bench.send(driver, 10)
    const base = bench.frontend.stopQueue(1)
    const { session, device } = bench
    // As Cloud Hypervisor does it: the ring is started, and enabled by a message of its own, with a round between them.
    const kick = bench.start(1, base)
    expect([device.serveQueue(1), device.armQueue(1), driver.reclaim()]).toEqual([0, false, 0])
    bench.frontend.call('SET_VRING_ENABLE', { index: 1, num: 1 })
    expect([device.serveQueue(1), driver.reclaim()]).toEqual([10, 10])
    expect(bench.backend.counters.txFrames).toBe(10)
    expect(session.vrings[1]!.kickCame).toBe(false)
    kick.close()
  })

  test('vhost-user "Ring states": a transmit queue that is disabled drops its frames when its driver kicks', () => {
    bench = new Bench()
    const driver = bench.driver(1)
    const base = bench.frontend.stopQueue(1)
    const kick = bench.start(1, base)
    bench.send(driver, 10)
    kick.signal()
    let drained = false
    for (let look = 0; look < 200 && !drained; look++) {
      bench.device.serveQueue(1)
      drained = driver.reclaim() === 10
    }
    expect([drained, bench.backend.counters.txFrames]).toEqual([true, 0])
    kick.close()
  })

  test('a broken ring tells the frontend once and leaves the other queues alone', () => {
    bench = new Bench({ queuePairs: 2 })
    const bad = bench.driver(1)
    const good = bench.driver(3)
    const error = EventFd.create()
    bench.frontend.call('SET_VRING_ERR', { index: 1, hasFd: true }, [error.fd])
    bad.windows.driver.store16(4, 999)
    bad.windows.driver.store16Release(2, 1)
    expect(bench.device.serveQueue(1)).toBe(0)
    expect(error.drain()).toBe(true)
    expect(bench.device.serveQueue(1)).toBe(0)
    expect(error.drain()).toBe(false)
    error.close()
    bench.send(good, 10)
    expect(bench.device.serveQueue(3)).toBe(10)
    expect(bench.device.report().map(({ index, broken }) => [index, broken])).toEqual([
      [1, 'head-out-of-range'],
      [3, null],
    ])
    // Set up again, it works again.
    expect(bench.frontend.stopQueue(1)).toBe(0)
    bad.windows.driver.store16Release(2, 0)
    const again = bench.driver(1)
    bench.send(again, 5)
    expect(bench.device.serveQueue(1)).toBe(5)
  })

  test('a ring goes on where it was stopped, and sleeps only when it is empty', () => {
    bench = new Bench()
    const driver = bench.driver(1)
    bench.send(driver, 7)
    expect(bench.device.armQueue(1)).toBe(true)
    expect(bench.device.serveQueue(1)).toBe(7)
    expect(bench.device.armQueue(1)).toBe(false)
    expect(bench.frontend.stopQueue(1)).toBe(7)
    expect([bench.device.serveQueue(1), bench.device.armQueue(1)]).toEqual([0, false])
  })

  test('a stopped ring has its backend let go of the memory', () => {
    const backend = new SlowBackend(10)
    bench = new Bench({ backend: () => backend })
    const driver = bench.driver(1)
    bench.send(driver, 3)
    bench.device.serveQueue(1)
    expect(backend.forgotten).toBe(0)
    bench.frontend.stopQueue(1)
    expect(backend.forgotten).toBe(1)
  })

  test('a ring that breaks while the loop goes to sleep is not slept over', () => {
    bench = new Bench()
    const driver = bench.driver(1)
    const error = EventFd.create()
    bench.frontend.call('SET_VRING_ERR', { index: 1, hasFd: true }, [error.fd])
    expect(bench.device.serveQueue(1)).toBe(0)
    driver.windows.driver.store16Release(2, 999)
    expect(bench.device.armQueue(1)).toBe(true)
    expect(bench.device.serveQueue(1)).toBe(0)
    expect(error.drain()).toBe(true)
    expect(bench.device.armQueue(1)).toBe(false)
    error.close()
  })

  test('with a device IOTLB the migration log notes guest pages: of buffers, and of the used ring', () => {
    const features = featureSet(VIRTIO_F_ACCESS_PLATFORM)
    const batch = new FrameBatch(12, memoryView(new ArrayBuffer(4096)))
    const source: FrameSource = {
      receive: () => {
        batch.count = 1
        batch.length[0] = 12 + 64
        return batch
      },
      consume: () => {},
    }
    bench = new Bench({ accessor: iotlbTranslated, features, source: () => source }, FEATURES | features)
    const { userAddress, size } = bench.memory.region
    const iova = 0x30_0000_0000
    bench.session.iotlb.update(iova, size, userAddress, 3)
    const bitmap = DirtyBitmap.forGuest(GUEST + size)
    bench.session.memory.setDirtyLog(bitmap)
    const ring = splitRingAreas(256, false, iova, iova + 0x4000, iova + 0x8000)
    const driver = createDriverQueue({ ring: bench.ring(0), memory: bench.memory.space, features: FEATURES })
    bench.frontend.startQueue(0, ring)
    bench.frontend.call('SET_VRING_ADDR', {
      index: 0,
      flags: 1,
      desc: ring.desc.address,
      avail: ring.driver.address,
      used: ring.device.address,
      log: ring.device.address,
    })
    driver.addOne(iova + BUFFERS, 2048, true)
    driver.publish()
    expect(bench.device.serveQueue(0)).toBe(1)
    expect(driver.getUsed()).toBe(true)
    expect(bitmap.take()).toEqual([(GUEST + 0x8000) / 4096, (GUEST + BUFFERS) / 4096])
  })

  test('with a device IOTLB the ring waits for its translations and starts with them', () => {
    bench = new Bench(
      { accessor: iotlbTranslated, features: featureSet(VIRTIO_F_ACCESS_PLATFORM) },
      FEATURES | featureSet(VIRTIO_F_ACCESS_PLATFORM),
    )
    const { userAddress } = bench.memory.region
    const driver = bench.driver(1)
    bench.send(driver, 3)
    expect(bench.device.serveQueue(1)).toBe(0)
    bench.session.iotlb.update(userAddress, 0x8_0000, userAddress, 3)
    expect(bench.device.serveQueue(1)).toBe(0)
    bench.session.iotlb.update(GUEST, 1 << 20, userAddress, 1)
    expect(bench.device.serveQueue(1)).toBe(3)
    expect(driver.reclaim()).toBe(3)
  })

  test('every frame that was taken is delivered, waits, or is counted under a reason', () => {
    bench = new Bench()
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.record({ send: fc.array(fc.constantFrom(0, 1, 13, 64, 1500, 9000, 65_549, 65_600), { maxLength: 40 }) }),
            fc.record({ offer: fc.constantFrom(64, 1526, 9000) }),
            fc.record({ enable: fc.tuple(fc.constantFrom(0, 1), fc.boolean()) }),
            fc.record({ serve: fc.constantFrom(0, 1) }),
          ),
          { maxLength: 60 },
        ),
        (steps) => {
          const wire = new LoopbackBackend({ limit: 16, bytes: 1 << 17 })
          const run = new Bench({ backend: () => wire, source: () => wire })
          const [rx, tx] = [run.driver(0), run.driver(1)]
          let sent = 0
          for (const step of steps) {
            if ('send' in step)
              for (const bytes of step.send) {
                if (tx.freeCount === 0) break
                tx.addOne(GUEST + BUFFERS, 12 + bytes, false)
                sent++
              }
            else if ('offer' in step) {
              if (rx.freeCount > 0) rx.addOne(GUEST + BUFFERS + 0x4_0000, step.offer, true)
            } else if ('enable' in step)
              run.frontend.call('SET_VRING_ENABLE', { index: step.enable[0], num: Number(step.enable[1]) })
            for (const ring of [rx, tx]) ring.publish()
            if ('serve' in step) run.device.serveQueue(step.serve)
            for (const ring of [rx, tx]) ring.reclaim()
          }
          // What the ring still holds was not taken.
          const taken = sent - (256 - tx.freeCount)
          const [received, transmitted] = run.device.report()
          const sum = (counts: Readonly<Record<string, number>>): number =>
            Object.values(counts).reduce((total, one) => total + one, 0)
          const { txFrames, txDropped } = wire.counters
          expect(txFrames + sum(transmitted!.dropped)).toBe(taken)
          expect(received!.delivered!.frames + sum(received!.dropped) + wire.waiting + sum(txDropped)).toBe(txFrames)
          run.close()
        },
      ),
      { numRuns: 60 },
    )
  })

  test('queue pairs out of range are refused with what is accepted', () => {
    bench = new Bench()
    expect(() => new NetDevice({ accessor: vmapDirect, backend: () => bench.backend, queuePairs: 0 })).toThrow(
      'queuePairs is 0; accepted: 1 to 128',
    )
  })
})
