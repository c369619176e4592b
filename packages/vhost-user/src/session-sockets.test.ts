import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { constants, mkdtempSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EFAULT, EXDEV, featureSet, VIRTIO_F_VERSION_1 } from '@vring/layout'
import {
  closeFd,
  createMemfd,
  EventFd,
  processResources,
  systemError,
  UnixListener,
  UnixSocket,
  unsupportedHost,
} from '@vring/linux'
import { ACCESS_READ } from '@vring/memory'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Driver } from '../test/frontend-rig.ts'
import { RecyclingDevice } from '../test/recycling-device.ts'
import { BackendSession } from './backend-session.ts'
import { VhostUserEndpoint } from './endpoint.ts'
import { VhostUserFrontend } from './frontend.ts'
import { FrontendMemory } from './frontend-memory.ts'
import { encodeMessage, FLAG_NEED_REPLY, FLAG_REPLY } from './header.ts'
import { linuxHost } from './linux-host.ts'
import { MESSAGES, type RequestName } from './messages.ts'
import { serveVhostUser } from './serve-vhost-user.ts'
import { VhostUserWorker } from './worker.ts'

const reason = unsupportedHost()
const FEATURES = featureSet(VIRTIO_F_VERSION_1)

/** Both ends of a socket pair in one thread: the frontend lets the session work while it waits for an answer. */
function connected(device = new RecyclingDevice()): {
  device: RecyclingDevice
  session: BackendSession
  frontend: VhostUserFrontend
} {
  const [one, transport] = UnixSocket.pair()
  const session = new BackendSession({ transport, device, host: linuxHost })
  const frontend = new VhostUserFrontend({ transport: one, wait: () => void session.poll() })
  return { device, session, frontend }
}

/** Signals an eventfd from another process, after a while. */
function signalLater(event: EventFd, seconds: number): ChildProcess {
  return spawn('sh', ['-c', `sleep ${seconds}; printf '\\001\\000\\000\\000\\000\\000\\000\\000' >&3`], {
    stdio: ['ignore', 'ignore', 'ignore', event.fd],
  })
}

describe.skipIf(reason !== null)(`over real sockets${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-vhost-user-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  test('a driver’s buffers go round: shared memory, kick, used ring, call; nothing is left afterwards', () => {
    const before = processResources()
    const { device, session, frontend } = connected()
    const memory = new FrontendMemory({ bytes: 1 << 20, guestAddress: 0x8000_0000 })
    expect(frontend.negotiate(FEATURES) & FEATURES).toBe(FEATURES)
    frontend.shareMemory([memory])
    const driver = new Driver(frontend, memory, 1)
    driver.send(10)
    expect(driver.queue.usedReady()).toBe(0)
    expect(session.vrings[1]!.kick!.drain()).toBe(true)
    expect(device.serveQueue(1)).toBe(10)
    expect(driver.queue.usedReady()).toBe(10)
    expect(driver.signals.call.drain()).toBe(true)
    expect(frontend.stopQueue(1)).toBe(10)
    memory.space.resolve(memory.region.userAddress + 0x5000, 4, ACCESS_READ)
    memory.space.view.u32[0x5000 / 4] = 0xfeed
    const at = session.memory.buffers.resolve(0x8000_5000, 4, ACCESS_READ)
    expect(session.memory.buffers.view.u32[at / 4]).toBe(0xfeed)
    frontend.close()
    expect(session.poll()).toBe('closed')
    memory.close()
    expect(processResources().openFds).toBe(before.openFds)
    expect(mappingsOf('vring-frontend')).toBe(0)
  })

  test('a region beyond the end of its file is refused: touching it would kill the process', () => {
    const { session, frontend } = connected()
    frontend.negotiate(FEATURES)
    const fd = createMemfd('short', 8192)
    const region = { guestAddress: 0, size: 12288, userAddress: 4096, mmapOffset: 0 }
    expect(() => frontend.call('SET_MEM_TABLE', [region], [fd])).toThrow('refused')
    expect(session.lastRefusal?.message).toContain('region end is 12288; accepted: at most 8192')
    const inside = { ...region, size: 4096, mmapOffset: 4096 }
    frontend.call('SET_MEM_TABLE', [inside], [fd])
    frontend.call('SET_MEM_TABLE', [{ ...inside, size: 100, mmapOffset: 4196 }], [fd])
    closeFd(fd)
    frontend.close()
    session.close()
  })

  test('memory of several windows is one address range, and more than memoryBytesMax is refused', () => {
    const { session, frontend } = connected()
    const bytes = 5 * 2 ** 30
    const memory = new FrontendMemory({ bytes })
    frontend.negotiate(FEATURES)
    frontend.shareMemory([memory])
    const { buffers } = session.memory
    expect(buffers.resolve(bytes - 4, 4, ACCESS_READ)).toBe(2 ** 30 - 4)
    expect(buffers.resolve(2 ** 30 - 2, 4, ACCESS_READ)).toBe(EXDEV)
    expect(buffers.resolveSpan(2 ** 30 - 2, 4, ACCESS_READ)).toBe(2 ** 30 - 2)
    expect(buffers.span).toBe(2)
    expect(buffers.resolve(bytes - 2, 4, ACCESS_READ)).toBe(EFAULT)
    const fd = createMemfd('absurd', 2 ** 41)
    const region = { ...memory.region, size: 2 ** 41 }
    expect(() => frontend.call('SET_MEM_TABLE', [region], [fd])).toThrow('refused')
    expect(session.lastRefusal?.message).toContain('memoryBytesMax')
    closeFd(fd)
    frontend.close()
    session.poll()
    memory.close()
    expect(mappingsOf('absurd') + mappingsOf('vring-frontend')).toBe(0)
  })

  test('a kick that is no eventfd is refused', () => {
    const { session, frontend } = connected()
    frontend.negotiate(FEATURES)
    const fd = createMemfd('no-eventfd', 4096)
    expect(() => frontend.call('SET_VRING_KICK', { index: 0, hasFd: true }, [fd])).toThrow('refused')
    expect(session.lastRefusal?.message).toMatch(/^kick descriptor is \d+; accepted: an eventfd$/)
    closeFd(fd)
    frontend.close()
    session.close()
  })

  test('a driver that makes its call blocking and fills it does not stop the device', () => {
    const { device, session, frontend } = connected()
    const memory = new FrontendMemory({ bytes: 1 << 20 })
    frontend.negotiate(FEATURES)
    frontend.shareMemory([memory])
    const driver = new Driver(frontend, memory, 1)
    // Else the rest would hang; against a driver that races, @vring/linux tests it in a process of its own.
    expect((session.vrings[1]!.call as EventFd).neverWaits).toBe(true)
    driver.signals.call.drain()
    makeFullAndBlocking(driver.signals.call.fd)
    driver.send(10)
    expect(device.serveQueue(1)).toBe(10)
    expect(driver.queue.usedReady()).toBe(10)
    frontend.close()
    session.close()
    memory.close()
  })

  test('descriptors that come with an answer are refused and closed', () => {
    const before = processResources().openFds
    const [one, other] = UnixSocket.pair()
    const frontend = new VhostUserFrontend({ transport: one })
    const memory = createMemfd('surprise', 4096)
    other.send(encodeMessage(MESSAGES.GET_FEATURES.id, FLAG_REPLY, new Uint8Array(8)), [memory, memory])
    expect(() => frontend.call('GET_FEATURES', null)).toThrow('at most 1 with a message')
    frontend.close()
    other.close()
    closeFd(memory)
    expect(processResources().openFds).toBe(before)
  })

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

  test('a server serves one frontend after the other on one path, also after one that talks nonsense', () => {
    const path = join(folder, 'server.sock')
    const ends: (string | null)[] = []
    const sessions: UnixSocket[] = []
    // The one that talks nonsense is still there to be told; of one that has hung up nothing is read.
    const connect = (bytes: Uint8Array): void => {
      const socket = UnixSocket.connect(path)
      socket.send(bytes)
      if (bytes === good) socket.close()
      sessions.push(socket)
    }
    const good = encodeMessage(MESSAGES.SET_OWNER.id, 0, new Uint8Array(0))
    let asked = 0
    serveVhostUser({
      path,
      role: 'server',
      device: new RecyclingDevice(),
      shouldStop: () => {
        if (asked++ === 0) for (const bytes of [good, new Uint8Array(12), good]) connect(bytes)
        return ends.length === 3
      },
      onClose: (session) => ends.push(session.error?.field ?? null),
    })
    expect(ends).toEqual([null, 'version', null])
    for (const socket of sessions) socket.close()
    expect(() => UnixSocket.connect(path)).toThrow('ENOENT')
  })

  test('a client tries until the frontend listens, and again after it hung up, not more often than retryMs', () => {
    const path = join(folder, 'client.sock')
    let listener: UnixListener | null = null
    let asked = 0
    const endpoint = new VhostUserEndpoint({ path, role: 'client', retryMs: 5 })
    const shouldStop = (): boolean => {
      if (++asked === 3) listener = UnixListener.listen(path)
      return false
    }
    const start = performance.now()
    const first = endpoint.next({ shouldStop })!
    expect(performance.now() - start).toBeGreaterThanOrEqual(9)
    listener!.accept()!.close()
    expect(first.receive(new Uint8Array(1), [])).toBe(0)
    first.close()
    const second = endpoint.next({ shouldStop })!
    expect(asked).toBeGreaterThanOrEqual(4)
    second.close()
    listener!.close()
    endpoint.close()
  })

  test('waiting for a frontend ends when another thread says so', async () => {
    const wake = EventFd.create()
    const endpoint = new VhostUserEndpoint({ path: join(folder, 'wake.sock'), role: 'server' })
    const child = signalLater(wake, 0.05)
    const exited = new Promise((resolve) => child.on('exit', resolve))
    expect(endpoint.next({ wakeFd: wake.fd, shouldStop: () => wake.drain() })).toBeNull()
    await exited
    endpoint.close()
    wake.close()
  })

  test('a server that runs out of descriptors waits and accepts when there are some again', () => {
    const path = join(folder, 'full.sock')
    const endpoint = new VhostUserEndpoint({ path, role: 'server', retryMs: 20 })
    const accept = vi.spyOn(UnixListener.prototype, 'accept').mockImplementationOnce(() => {
      throw systemError('accept4', 24, path)
    })
    const client = UnixSocket.connect(path)
    const start = performance.now()
    endpoint.next()!.close()
    expect(performance.now() - start).toBeGreaterThanOrEqual(19)
    expect(accept).toHaveBeenCalledTimes(2)
    accept.mockImplementationOnce(() => {
      throw systemError('accept4', 22, path)
    })
    expect(() => endpoint.next()).toThrow('EINVAL')
    accept.mockRestore()
    client.close()
    endpoint.close()
  })

  test('malformed messages with real descriptors leave no descriptor and no mapping', () => {
    const names = Object.keys(MESSAGES) as RequestName[]
    const message = fc.tuple(
      fc.constantFrom(...names),
      fc.uint8Array({ maxLength: 80 }),
      fc.array(fc.constantFrom('event', 'memory'), { maxLength: 3 }),
      fc.boolean(),
    )
    const before = processResources().openFds
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 12 }), (messages) => {
        const [one, transport] = UnixSocket.pair()
        const session = new BackendSession({ transport, device: new RecyclingDevice(), host: linuxHost })
        const frontend = new VhostUserFrontend({ transport: one, wait: () => void session.poll() })
        const memory = new FrontendMemory({ bytes: 1 << 20 })
        frontend.negotiate(FEATURES)
        frontend.shareMemory([memory])
        new Driver(frontend, memory, 0)
        const event = EventFd.create()
        for (const [name, bytes, kinds, fits] of messages) {
          if (session.closed) break
          const payload = new Uint8Array(fits ? MESSAGES[name].request.bytes[0] : bytes.length)
          payload.set(bytes.subarray(0, payload.length))
          const fds = kinds.map((kind) => (kind === 'event' ? event.fd : memory.fd))
          one.send(encodeMessage(MESSAGES[name].id, FLAG_NEED_REPLY, payload), fds)
          session.poll()
        }
        frontend.close()
        expect(session.poll()).toBe('closed')
        event.close()
        memory.close()
        expect(processResources().openFds).toBe(before)
        expect(mappingsOf('vring-frontend')).toBe(0)
      }),
      { numRuns: 60 },
    )
  })
})

/** Sets an empty eventfd to its maximum: it is not writable. */
function fill(fd: number): void {
  const full = new Uint8Array(8).fill(0xff)
  full[0] = 0xfe
  expect(writeSync(fd, full)).toBe(8)
}

/** What a hostile driver does to an eventfd that it shares: its maximum, and an open file whose writes wait. */
function makeFullAndBlocking(fd: number): void {
  fill(fd)
  // The standard input of a child is made blocking, for all who share it.
  spawnSync('true', { stdio: [fd, 'ignore', 'ignore'] })
  const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))![1]!
  expect(Number.parseInt(flags, 8) & constants.O_NONBLOCK).toBe(0)
}

/** Mappings of memory files with this name. */
function mappingsOf(name: string): number {
  return readFileSync('/proc/self/maps', 'latin1').split(`memfd:${name}`).length - 1
}
