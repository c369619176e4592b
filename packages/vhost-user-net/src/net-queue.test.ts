import { EventFd } from '@vring/linux'
import { LoopbackBackend } from '@vring/vhost-net'
import { describe, expect, test } from 'vitest'
import { BUFFERS, closeAfterEach, GUEST, NetBench, reason } from '../test/net-bench.ts'
import { SlowBackend } from '../test/slow-backend.ts'

describe.skipIf(reason !== null)(`NetDevice${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let bench: NetBench
  closeAfterEach(() => bench)

  test('a receive ring that is disabled or stopped takes nothing within a transmit round', () => {
    const loop = new LoopbackBackend()
    bench = new NetBench({ backend: () => loop, source: () => loop })
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

  test('a disabled transmit queue drops, an enabled one does not', () => {
    bench = new NetBench()
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
    bench = new NetBench()
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
    bench = new NetBench()
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

  test('goes on from the used index after a device that was killed, when the frontend says 0', () => {
    bench = new NetBench()
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

  test('a ring goes on where it was stopped, and sleeps only when it is empty', () => {
    bench = new NetBench()
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
    bench = new NetBench({ backend: () => backend })
    const driver = bench.driver(1)
    bench.send(driver, 3)
    bench.device.serveQueue(1)
    expect(backend.forgotten).toBe(0)
    bench.frontend.stopQueue(1)
    expect(backend.forgotten).toBe(1)
  })

  test('a ring that breaks while the loop goes to sleep is not slept over', () => {
    bench = new NetBench()
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
})
