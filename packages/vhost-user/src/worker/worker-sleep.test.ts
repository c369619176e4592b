import { spawn } from 'node:child_process'
import { featureSet, VIRTIO_F_VERSION_1 } from '@vring/layout'
import { EventFd, unsupportedHost } from '@vring/linux'
import { describe, expect, test } from 'vitest'
import { connected } from '../../test/connected.ts'
import { fill, signalLater } from '../../test/eventfds.ts'
import { Driver } from '../../test/frontend-rig.ts'
import { FrontendMemory } from '../frontend/frontend-memory.ts'
import { VhostUserWorker } from './worker.ts'

const reason = unsupportedHost()
const FEATURES = featureSet(VIRTIO_F_VERSION_1)

describe.skipIf(reason !== null)(`over real sockets${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  test('the worker sleeps when rings are empty and a kick wakes it', async () => {
    const { device, session, frontend } = connected()
    const memory = new FrontendMemory({ bytes: 1 << 20 })
    frontend.negotiate(FEATURES)
    frontend.shareMemory([memory])
    const driver = new Driver(frontend, memory, 0)
    let asked = 0
    const worker = new VhostUserWorker({
      busyPollUs: 0,
      // The first look finds nothing; the second comes only after another process kicked.
      shouldStop: () => ++asked > 1,
    })
    worker.add(session, device)
    const child = signalLater(driver.signals.kick, 0.05)
    const exited = new Promise((resolve) => child.on('exit', resolve))
    expect(worker.run()).toBe('stopped')
    expect(worker.sleeps).toBe(1)
    await exited
    frontend.close()
    session.close()
    memory.close()
  })

  test('a device that is full sleeps until its descriptor is writable, and not longer than it says', async () => {
    const { device, session, frontend } = connected()
    const memory = new FrontendMemory({ bytes: 1 << 20 })
    frontend.negotiate(FEATURES)
    frontend.shareMemory([memory])
    const driver = new Driver(frontend, memory, 0)
    const full = EventFd.create()
    fill(full.fd)
    const looks: number[] = []
    const waiting = Object.assign(device, { roomFds: [full.fd], sleepMs: -1 })
    const run = (sleeps: number): number => {
      const worker: VhostUserWorker = new VhostUserWorker({
        busyPollUs: 0,
        shouldStop: () => worker.sleeps >= sleeps,
      })
      worker.add(session, device)
      const start = performance.now()
      expect(worker.run()).toBe('stopped')
      looks.push(worker.sleeps)
      return performance.now() - start
    }
    const child = spawn('sh', ['-c', 'sleep 0.1; dd bs=8 count=1 <&3'], {
      stdio: ['ignore', 'ignore', 'ignore', full.fd],
    })
    const exited = new Promise((resolve) => child.on('exit', resolve))
    expect(run(1)).toBeGreaterThan(50)
    await exited
    // Writable: it does not sleep at all.
    expect(run(3)).toBeLessThan(1000)
    fill(full.fd)
    waiting.sleepMs = 20
    expect(run(3)).toBeGreaterThanOrEqual(59)
    // A kick wakes it as ever, and is drained.
    waiting.sleepMs = 60_000
    driver.signals.kick.signal()
    expect(run(1)).toBeLessThan(10_000)
    expect(driver.signals.kick.drain()).toBe(false)
    expect(looks).toEqual([1, 3, 3, 1])
    frontend.close()
    session.close()
    memory.close()
    full.close()
  })

  test('the worker does not sleep over what was made available before it armed the ring', () => {
    const { device, session, frontend } = connected()
    const memory = new FrontendMemory({ bytes: 1 << 20 })
    frontend.negotiate(FEATURES)
    frontend.shareMemory([memory])
    const driver = new Driver(frontend, memory, 0)
    const serve = device.serveQueue.bind(device)
    let served = 0
    // The driver adds after the round that found nothing, and does not kick: only the look after arming finds it.
    device.serveQueue = (index) => {
      const packets = serve(index)
      if (served++ === 0) {
        driver.queue.addOne(0x4000, 64, false)
        driver.queue.publish()
      }
      return packets
    }
    // Sleeping ends at once: what counts is that it comes once, after the work, and not before it.
    const wake = EventFd.create()
    wake.signal()
    const shouldStop = (): boolean => device.chains > 0
    const worker = new VhostUserWorker({ busyPollUs: 0, wakeFd: wake.fd, shouldStop })
    worker.add(session, device)
    expect(worker.run()).toBe('stopped')
    expect(worker.sleeps).toBe(1)
    wake.close()
    frontend.close()
    session.close()
    memory.close()
  })
})
