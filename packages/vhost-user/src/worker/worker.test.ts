import { ftruncateSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { featureSet, VIRTIO_F_VERSION_1 } from '@vring/layout'
import { PollSet, processResources, UnixSocket, unsupportedHost } from '@vring/linux'
import { WORK_PER_LOOK, work } from '@vring/memory'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Driver } from '../../test/frontend-rig.ts'
import { RecyclingDevice } from '../../test/recycling-device.ts'
import { VhostUserFrontend } from '../frontend/frontend.ts'
import { FrontendMemory } from '../frontend/frontend-memory.ts'
import { linuxHost } from '../host/linux-host.ts'
import { encodeMessage } from '../messages/header.ts'
import { MESSAGES } from '../messages/messages.ts'
import { BackendSession } from '../session/backend-session.ts'
import { runWorker } from './run-worker.ts'
import { VhostUserWorker } from './worker.ts'

const reason = unsupportedHost()

/** A driver with one ring, and the session and device at the other end, in this thread. */
class Guest {
  readonly device = new RecyclingDevice()
  readonly faults: unknown[] = []
  readonly session: BackendSession
  readonly frontend: VhostUserFrontend
  readonly memory = new FrontendMemory({ bytes: 1 << 20, sealed: false })
  readonly driver: Driver
  readonly socket: UnixSocket

  constructor() {
    const [mine, transport] = UnixSocket.pair()
    this.socket = mine
    const { device } = this
    this.session = new BackendSession({ transport, device, host: linuxHost, onFault: (one) => this.faults.push(one) })
    this.frontend = new VhostUserFrontend({ transport: mine, wait: () => void this.session.poll() })
    this.frontend.negotiate(featureSet(VIRTIO_F_VERSION_1))
    this.frontend.shareMemory([this.memory])
    this.driver = new Driver(this.frontend, this.memory, 0)
  }

  close(): void {
    this.frontend.close()
    this.session.close()
    this.memory.close()
  }
}

describe.skipIf(reason !== null)(`a worker${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-worker-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  test('serves the rings of several sessions and sleeps in one poll over all of them', () => {
    const guests = Array.from({ length: 5 }, () => new Guest())
    let looks = 0
    const worker = new VhostUserWorker({
      busyPollUs: 0,
      shouldStop: () => {
        // Each look kicks another session: the next one comes because that kick woke the worker.
        if (looks < guests.length) guests[looks]!.driver.send(3)
        return ++looks > guests.length
      },
    })
    for (const { session, device } of guests) worker.add(session, device)
    expect(worker.run()).toBe('stopped')
    expect(guests.map(({ device }) => device.chains)).toEqual([3, 3, 3, 3, 3])
    for (const guest of guests) guest.close()
    expect(worker.run()).toBe('closed')
  })

  test('ends the session of a device that throws, with its class and stack, and goes on with the others', () => {
    const [good, bad] = [new Guest(), new Guest()]
    bad.device.serveQueue = () => {
      throw new TypeError('a mistake of the device')
    }
    const worker = new VhostUserWorker({ shouldStop: () => good.device.chains === 3 })
    worker.add(bad.session, bad.device)
    worker.add(good.session, good.device)
    good.driver.send(3)
    expect(worker.run()).toBe('stopped')
    expect(bad.session.closed).toBe(true)
    expect(bad.session.error?.code).toBe('ERR_INTERNAL')
    expect(bad.session.error?.message).toMatch(/^TypeError: a mistake of the device, at .*worker\.test/)
    expect(bad.session.error?.cause).toBeInstanceOf(TypeError)
    expect(bad.faults).toEqual([bad.session.error?.cause])
    expect(worker.sessions).toEqual([good.session])
    good.close()
    bad.close()
  })

  test('ends the session of a driver that shortens its memory, and goes on with the others', () => {
    const [good, bad] = [new Guest(), new Guest()]
    const worker = new VhostUserWorker({ shouldStop: () => good.device.chains === 3 })
    worker.add(bad.session, bad.device)
    worker.add(good.session, good.device)
    ftruncateSync(bad.memory.fd, 4096)
    bad.driver.signals.kick.signal()
    good.driver.send(3)
    expect(worker.run()).toBe('stopped')
    expect(bad.session.error?.message).toBe('pages of the region at guest address 0x0 do not exist any more')
    expect([bad.device.rings.size, bad.faults]).toEqual([0, []])
    expect(worker.sessions).toEqual([good.session])
    good.close()
    bad.close()
  })

  test('a session that has sent a message does not keep the rings of another from their turns', () => {
    const [busy, chatty] = [new Guest(), new Guest()]
    // Longer than the next message is looked for, and that longer than a slow machine stands still between two lines.
    const worker = new VhostUserWorker({ controlUs: 200_000 })
    let served = 0
    busy.device.serveQueue = () => {
      served++
      return 1
    }
    for (const { session, device } of [busy, chatty]) worker.add(session, device)
    worker.control()
    chatty.socket.send(encodeMessage(MESSAGES.SET_OWNER.id, 0, new Uint8Array(0)))
    worker.control()
    expect(worker.turns()).toBe(false)
    expect(served).toBeGreaterThan(10)
    for (const guest of [busy, chatty]) guest.close()
  })

  test.each([
    ['of a look each', WORK_PER_LOOK, 1],
    ['that is not charged', 0, 4],
  ])(
    'a turn ends when its time is up, and the next goes on there, with work %s: every ring has the same share',
    (_what, charged, most) => {
      const guests = Array.from({ length: 5 }, () => new Guest())
      const worker = new VhostUserWorker()
      const order: number[] = []
      for (const [i, { session, device }] of guests.entries()) {
        device.serveQueue = () => {
          order.push(i)
          work.charge(charged)
          for (const end = performance.now() + 1; performance.now() < end; );
          return 0
        }
        worker.add(session, device)
      }
      worker.control()
      // There may be more to do: it does not look like rings that are empty.
      for (let turn = 0; turn < 10; turn++) expect(worker.turn()).toBe(1)
      expect(order).toEqual(Array.from({ length: 10 * most }, (_, i) => i % 5))
      for (const guest of guests) guest.close()
    },
  )

  /** A guest whose kick stays readable, whatever is read. */
  function kickedForEver(): { readonly guest: Guest; close(): void } {
    const guest = new Guest()
    const [readable, other] = UnixSocket.pair()
    other.send(Uint8Array.of(1))
    Object.assign(guest.session.vrings[0]!, {
      kick: { fd: readable.fd, signal: () => {}, drain: () => true, close: () => {} },
    })
    return {
      guest,
      close: () => {
        for (const socket of [readable, other]) socket.close()
        guest.close()
      },
    }
  }

  test('a kick that stays readable whatever is read, and brings nothing, is looked at by time', () => {
    const { guest, close } = kickedForEver()
    let first = 0
    const worker: VhostUserWorker = new VhostUserWorker({
      busyPollUs: 0,
      shouldStop: () => {
        first ||= performance.now()
        return worker.sleeps >= 100
      },
    })
    worker.add(guest.session, guest.device)
    expect(worker.run()).toBe('stopped')
    // Of the sleeps after the 64th each takes a millisecond, and one is as good as a kick.
    expect(performance.now() - first).toBeGreaterThan(30)
    close()
  })

  test('so it is by a loop of one’s own', () => {
    const { guest, close } = kickedForEver()
    const worker = new VhostUserWorker()
    worker.add(guest.session, guest.device)
    const poll = new PollSet()
    const start = performance.now()
    for (let wake = 0; wake < 100; wake++) {
      worker.control()
      expect([worker.turn(), worker.arm()]).toEqual([0, false])
      poll.watch(worker.fds, worker.roomFds)
      expect(poll.wait(1000)).toBe(1)
      worker.drain()
    }
    expect(performance.now() - start).toBeGreaterThan(30)
    close()
  })

  test('runWorker ends when the only connection that it was given is over', async () => {
    const [mine, given] = UnixSocket.pair()
    const worker = new VhostUserWorker()
    worker.serve({ path: 'given', fd: given.fd, role: 'client', device: new RecyclingDevice() })
    const ended = runWorker(worker)
    mine.close()
    await ended
    expect(worker.idle).toBe(true)
    worker.close()
  })

  test('serves several paths; who comes to one that has a session waits for its end', async () => {
    const before = processResources().openFds
    const paths = ['a', 'b'].map((name) => join(folder, `${name}.sock`))
    const worker = new VhostUserWorker()
    const opened: string[] = []
    for (const path of paths)
      worker.serve({ path, role: 'server', device: new RecyclingDevice(), onOpen: () => opened.push(path) })
    const [a, second, b] = [paths[0]!, paths[0]!, paths[1]!].map((path) => UnixSocket.connect(path))
    for (let i = 0; i < 3; i++) worker.control()
    expect(opened.sort()).toEqual(paths)
    expect(worker.sessions).toHaveLength(2)
    a!.close()
    for (let i = 0; i < 3; i++) worker.control()
    expect(opened).toEqual([...paths, paths[0]])
    second!.close()
    b!.close()
    worker.close()
    await vi.waitFor(() => expect(processResources().openFds).toBeLessThanOrEqual(before), 10_000)
    expect(() => UnixSocket.connect(paths[1]!)).toThrow('ENOENT')
  })

  test('is the parts of a loop of one’s own: control, turn, arm, fds, drain', () => {
    const guest = new Guest()
    const worker = new VhostUserWorker()
    worker.add(guest.session, guest.device)
    const poll = new PollSet()
    worker.control()
    expect(worker.turn()).toBe(0)
    expect(worker.arm()).toBe(false)
    expect(worker.fds).toContain(guest.session.fd)
    expect(worker.fds).toContain(guest.session.vrings[0]!.kick!.fd)
    expect(worker.waitMs).toBe(-1)
    guest.driver.send(2)
    poll.watch(worker.fds, worker.roomFds)
    expect(poll.wait(1000)).toBe(1)
    worker.drain()
    expect(poll.wait(0)).toBe(0)
    worker.control()
    expect(worker.turn()).toBe(2)
    guest.frontend.close()
    worker.control()
    expect(worker.sessions).toEqual([])
    guest.close()
  })
})
