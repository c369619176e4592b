import { clockNs, EventFd } from '@vring/linux'
import { VhostUserWorker } from '@vring/vhost-user'
import { describe, expect, test } from 'vitest'
import { closeAfterEach, NetBench, reason } from '../test/net-bench.ts'
import { SlowBackend } from '../test/slow-backend.ts'

describe.skipIf(reason !== null)(`NetDevice${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let bench: NetBench
  closeAfterEach(() => bench)

  test('a backend without room is waited for by its descriptor, or for a millisecond; kicks are not asked for', () => {
    const backend = new SlowBackend(3)
    bench = new NetBench({ backend: () => backend })
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
    bench = new NetBench({ backend: () => backend })
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
    bench = new NetBench({ queuePairs: 2, backend: (pair) => (pair === 0 ? slow : other) })
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
})
