import { spawnSync } from 'node:child_process'
import { constants, readFileSync } from 'node:fs'
import { EFAULT, EXDEV, featureSet, VIRTIO_F_VERSION_1 } from '@vring/layout'
import { closeFd, createMemfd, EventFd, processResources, UnixSocket, unsupportedHost } from '@vring/linux'
import { ACCESS_READ } from '@vring/memory'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { connected } from '../../test/connected.ts'
import { fill } from '../../test/eventfds.ts'
import { Driver } from '../../test/frontend-rig.ts'
import { RecyclingDevice } from '../../test/recycling-device.ts'
import { VhostUserFrontend } from '../frontend/frontend.ts'
import { FrontendMemory } from '../frontend/frontend-memory.ts'
import { linuxHost } from '../host/linux-host.ts'
import { encodeMessage, FLAG_NEED_REPLY, FLAG_REPLY } from '../messages/header.ts'
import { MESSAGES, type RequestName } from '../messages/messages.ts'
import { BackendSession } from './backend-session.ts'

const reason = unsupportedHost()
const FEATURES = featureSet(VIRTIO_F_VERSION_1)

describe.skipIf(reason !== null)(`over real sockets${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  test('a driver’s buffers go round: shared memory, kick, used ring, call; nothing is left afterwards', async () => {
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
    await vi.waitFor(() => expect(processResources().openFds).toBeLessThanOrEqual(before.openFds), 10_000)
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

  test('descriptors that come with an answer are refused and closed', async () => {
    const before = processResources().openFds
    const [one, other] = UnixSocket.pair()
    const frontend = new VhostUserFrontend({ transport: one })
    const memory = createMemfd('surprise', 4096)
    other.send(encodeMessage(MESSAGES.GET_FEATURES.id, FLAG_REPLY, new Uint8Array(8)), [memory, memory])
    expect(() => frontend.call('GET_FEATURES', null)).toThrow('at most 1 with a message')
    frontend.close()
    other.close()
    closeFd(memory)
    await vi.waitFor(() => expect(processResources().openFds).toBeLessThanOrEqual(before), 10_000)
  })

  test('malformed messages with real descriptors leave no descriptor and no mapping', async () => {
    const names = Object.keys(MESSAGES) as RequestName[]
    const message = fc.tuple(
      fc.constantFrom(...names),
      fc.uint8Array({ maxLength: 80 }),
      fc.array(fc.constantFrom('event', 'memory'), { maxLength: 3 }),
      fc.boolean(),
    )
    const before = processResources().openFds
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 12 }), async (messages) => {
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
        await vi.waitFor(() => expect(processResources().openFds).toBeLessThanOrEqual(before), 10_000)
        expect(mappingsOf('vring-frontend')).toBe(0)
      }),
      { numRuns: 60 },
    )
  })
})

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
