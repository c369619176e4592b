import { ftruncateSync, readFileSync } from 'node:fs'
import { type MessagePort, Worker } from 'node:worker_threads'
import { featureSet, VIRTIO_F_VERSION_1 } from '@vring/layout'
import { EventFd, guardFaults, processResources, startThread, UnixSocket, unsupportedHost } from '@vring/linux'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { FollowerThreadData } from '../../test/follower-thread.ts'
import { Driver } from '../../test/frontend-rig.ts'
import { RecyclingDevice } from '../../test/recycling-device.ts'
import { VhostUserFrontend } from '../frontend/frontend.ts'
import { FrontendMemory } from '../frontend/frontend-memory.ts'
import { linuxHost } from '../host/linux-host.ts'
import { BackendSession } from '../session/backend-session.ts'
import { VhostUserWorker } from '../worker/worker.ts'
import { SharedOutDevice } from './shared-out-device.ts'
import { Follower, ThreadLink } from './thread-link.ts'

const reason = unsupportedHost()
const QUEUES = 4
/** How long a thread may take to load the sources on a busy machine, ms. */
const START_MS = 120_000

/** Mappings of memory that a driver shares, its own among them. */
function shared(): number {
  const maps = readFileSync('/proc/self/maps', 'utf8')
  return maps.split('\n').filter((line) => line.includes('memfd:vring-frontend')).length
}

/** A driver of four rings; the even ones are served here, the odd ones by a thread that follows. */
class TwoThreads {
  readonly wake = EventFd.create()
  readonly link = new ThreadLink(this.wake.fd)
  readonly stop = new Int32Array(new SharedArrayBuffer(4))
  readonly thread: Worker
  readonly exited: Promise<unknown>
  readonly own = new RecyclingDevice()
  readonly follower: Follower
  readonly device: SharedOutDevice
  overdue = 0
  session!: BackendSession
  frontend!: VhostUserFrontend
  memory!: FrontendMemory

  private constructor(limitMs: number) {
    const data: FollowerThreadData = {
      ...{ end: this.link.follower, stop: this.stop.buffer as SharedArrayBuffer, queueCount: QUEUES },
    }
    this.thread = startThread(Worker, new URL('../../test/follower-thread.ts', import.meta.url), {
      ...{ workerData: data, transferList: [data.end.port as MessagePort] },
      execArgv: ['--conditions=@vring/source'],
    })
    this.exited = new Promise((resolve) => this.thread.on('exit', resolve))
    this.follower = new Follower(this.link.home, {
      ...{ thread: 1, limitMs },
      onOverdue: () => {
        this.overdue++
        // The promise is not awaited: this thread is about to wait for the end itself.
        void this.thread.terminate()
      },
    })
    this.own.queueCount = QUEUES
    this.device = new SharedOutDevice({
      ...{ device: this.own, followers: [this.follower], threadOf: (index: number) => index % 2 },
    })
  }

  static async start(limitMs = START_MS): Promise<TwoThreads> {
    const made = new TwoThreads(limitMs)
    await new Promise((resolve) => made.thread.once('message', resolve))
    return made
  }

  connect(): void {
    const [mine, transport] = UnixSocket.pair()
    const { device } = this
    this.session = new BackendSession({ transport, device, host: linuxHost, onFault: () => {} })
    this.frontend = new VhostUserFrontend({ transport: mine, wait: () => void this.session.poll() })
    this.frontend.negotiate(featureSet(VIRTIO_F_VERSION_1))
    this.memory = new FrontendMemory({ bytes: 1 << 20, sealed: false })
    this.frontend.shareMemory([this.memory])
  }

  ask(what = ''): { chains: number; calls: string[]; regions: number } {
    return this.device.tell(1, what) as never
  }

  async until(condition: () => boolean): Promise<void> {
    const end = performance.now() + START_MS
    for (let met = condition(); !met; met = condition()) {
      expect(performance.now()).toBeLessThan(end)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }

  disconnect(): void {
    this.frontend.close()
    this.session.close()
    this.memory.close()
  }

  async end(): Promise<void> {
    Atomics.store(this.stop, 0, 1)
    await this.thread.terminate()
    this.link.ended()
    this.link.close()
    this.wake.close()
  }
}

describe.skipIf(reason !== null)(
  `rings of one session over two threads${reason === null ? '' : ` (${reason})`}`,
  () => {
    let threads: TwoThreads
    beforeAll(async () => {
      threads = await TwoThreads.start()
    }, START_MS)
    beforeEach(() => {
      threads.own.chains = 0
      threads.own.calls.splice(0)
      threads.ask('forget')
    })
    afterAll(() => threads?.end(), START_MS)

    test('each ring is served by its thread, kicks go there, and its base comes back', async () => {
      threads.connect()
      const { own, session, frontend, memory } = threads
      const drivers = Array.from({ length: QUEUES }, (_, index) => new Driver(frontend, memory, index))
      expect(own.calls.filter((one) => one.startsWith('start'))).toEqual(['start 0 at 0', 'start 2 at 0'])
      expect(threads.ask().calls.filter((one) => one.startsWith('start'))).toEqual(['start 1 at 0', 'start 3 at 0'])
      for (const driver of drivers) driver.send(5)
      await threads.until(() => threads.ask().chains === 10)
      const worker = new VhostUserWorker({ shouldStop: () => own.chains === 10 })
      worker.add(session, threads.device)
      expect(worker.run()).toBe('stopped')
      await threads.until(() => drivers[3]!.signals.call.drain())
      expect(frontend.stopQueue(3)).toBe(5)
      expect(frontend.stopQueue(2)).toBe(5)
      expect(threads.ask().chains).toBe(10)
      threads.disconnect()
    })

    test('a thread that is stopped again and again has a turn over its rings in between', () => {
      threads.connect()
      const driver = new Driver(threads.frontend, threads.memory, 1)
      for (let stop = 1; stop <= 50; stop++) {
        threads.device.quiesce()
        driver.send(1)
        threads.device.resume()
        threads.device.quiesce()
        expect(threads.ask().chains).toBe(stop)
        threads.device.resume()
      }
      threads.disconnect()
    })

    test('no thread holds on to memory that goes: it is unmapped, in use or not, and descriptors are given back', async () => {
      const before = processResources().openFds
      for (let round = 0; round < 5; round++) {
        threads.connect()
        const { frontend, memory } = threads
        const driver = new Driver(frontend, memory, 1)
        for (let change = 0; change < 5; change++) {
          driver.send(3)
          const more = new FrontendMemory({ bytes: 1 << 20, guestAddress: 0x4000_0000, userAddress: 2 ** 41 })
          frontend.shareMemory([memory, more])
          expect(threads.ask().regions).toBe(2)
          driver.send(3)
          frontend.shareMemory([memory])
          more.close()
          await threads.until(() => threads.ask().chains === 30 * round + 6 * (change + 1))
        }
        threads.disconnect()
        expect(threads.ask().regions).toBe(0)
      }
      await vi.waitFor(() => expect(processResources().openFds).toBeLessThanOrEqual(before), 10_000)
      expect(shared()).toBe(0)
    })

    test('a ring whose memory goes stops in its thread before that is unmapped', () => {
      threads.connect()
      const { frontend, memory } = threads
      new Driver(frontend, memory, 1)
      const other = new FrontendMemory({ bytes: 1 << 20, guestAddress: 0x4000_0000, userAddress: 2 ** 41 })
      threads.ask()
      frontend.shareMemory([other])
      expect(threads.ask().calls).toEqual(['stop 1 at 0'])
      other.close()
      threads.disconnect()
    })

    test('a device that throws in its thread is heard of with its class, and the next session is served there', async () => {
      threads.connect()
      const driver = new Driver(threads.frontend, threads.memory, 1)
      threads.ask('throw')
      driver.send(1)
      let fault: string | null = null
      await threads.until(() => {
        fault ??= threads.follower.takeFault()
        return fault !== null
      })
      expect(fault).toMatch(/^TypeError: a mistake of the device, at /)
      threads.disconnect()
      threads.connect()
      new Driver(threads.frontend, threads.memory, 1).send(4)
      await threads.until(() => threads.ask().chains === 4)
      threads.disconnect()
    })

    test('what a command is refused with comes back, a mistake with its class', () => {
      expect(() => threads.ask('refuse')).toThrow(/^RangeError: no, at /)
    })

    test('pages that a driver takes away are lost for its session, whichever thread touches them', async () => {
      threads.connect()
      const { memory, frontend, session } = threads
      const worker = new VhostUserWorker({ wakeFd: threads.wake.fd, shouldStop: () => session.closed })
      worker.add(session, threads.device)
      const driver = new Driver(frontend, memory, 1)
      const faults = guardFaults()
      ftruncateSync(memory.fd, 0)
      driver.signals.kick.signal()
      expect(worker.run()).toBe('closed')
      expect(guardFaults()).toBeGreaterThan(faults)
      expect(session.error?.message).toMatch(/^pages of the region at guest address 0x0 do not exist any more/)
      frontend.close()
      memory.close()
    })
  },
)

test.skipIf(reason !== null)(
  'a thread that dies is waited for no longer, and nothing that it served stays mapped',
  async () => {
    const threads = await TwoThreads.start()
    threads.connect()
    new Driver(threads.frontend, threads.memory, 1).send(1)
    threads.thread.once('exit', () => threads.link.ended())
    threads.follower.send({ kind: 'device', data: 'die' })
    await threads.exited
    expect(threads.follower.hasEnded).toBe(true)
    expect(() => new Driver(threads.frontend, threads.memory, 3)).toThrow('refused')
    expect(threads.session.lastRefusal?.message).toBe('queue 3: thread 1 has ended')
    threads.disconnect()
    expect(shared()).toBe(0)
    await threads.end()
  },
)

test.skipIf(reason !== null)(
  'a thread that does not come to a stand in time is said to be overdue',
  async () => {
    const threads = await TwoThreads.start(100)
    threads.follower.send({ kind: 'device', data: 'hang' })
    // This thread has no event loop while it waits; a daemon's main thread has.
    const helper = new Worker(
      `const { workerData } = require('node:worker_threads'); const cells = new Int32Array(workerData)
     setTimeout(() => { Atomics.store(cells, 4, 1); Atomics.add(cells, 2, 1); Atomics.notify(cells, 2) }, 1000)`,
      { eval: true, workerData: threads.link.home.cells },
    )
    threads.device.quiesce()
    expect([threads.overdue, threads.follower.hasEnded]).toEqual([1, true])
    threads.device.resume()
    await threads.exited
    await helper.terminate()
    await threads.end()
  },
  START_MS,
)
