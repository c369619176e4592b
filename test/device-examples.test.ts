import { UnixSocket, unsupportedHost } from '@vring/linux'
import { BackendSession, linuxHost, type VhostUserDevice, VhostUserDriver } from '@vring/vhost-user'
import { afterEach, describe, expect, test } from 'vitest'
import { LearningSwitch } from '../examples/devices/learning-switch.ts'
import { responderDevice } from '../examples/devices/ping-responder.ts'
import { RngDevice } from '../examples/devices/virtio-rng.ts'

const reason = unsupportedHost()
const HEADER = new Uint8Array(12)

describe.skipIf(reason !== null)(`the examples${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let open: { close(): void }[] = []
  afterEach(() => {
    for (const one of open) one.close()
    open = []
  })

  /** Drivers of these devices, all in this thread: each lets all devices work while it waits. */
  function drive(devices: readonly VhostUserDevice[]): VhostUserDriver[] {
    const sessions: BackendSession[] = []
    const turn = (): void => {
      for (const [i, session] of sessions.entries()) {
        session.poll()
        for (const index of session.activeQueues) devices[i]!.serveQueue(index)
      }
    }
    return devices.map((device) => {
      const [mine, transport] = UnixSocket.pair()
      const session = new BackendSession({ transport, device, host: linuxHost })
      sessions.push(session)
      const driver = VhostUserDriver.connect({ transport: () => mine, queues: device.queueCount, wait: turn })
      open.push(driver, session)
      return driver
    })
  }

  const mac = (last: number): number[] => [2, 0, 0, 0, 0, last]
  const send = (driver: VhostUserDriver, frame: readonly number[]): void => {
    driver.rings[1]!.send([HEADER, Uint8Array.from(frame)])
    driver.rings[1]!.kick()
  }
  const receive = (driver: VhostUserDriver): number[] | null => {
    const [rx] = driver.rings
    if (rx!.pending === 0) rx!.send([], 1526)
    rx!.kick()
    for (let i = 0; i < 3; i++) driver.wait()
    const answer = rx!.receive()
    return answer === null ? null : [...answer.bytes.subarray(12)]
  }

  test('virtio-rng gives random bytes, as many as are asked for and no more than a page', () => {
    const [driver] = drive([new RngDevice()])
    const first = driver!.request(0, [], 64)
    const second = driver!.request(0, [], 64)
    expect([first.length, second.length]).toEqual([64, 64])
    expect(first.bytes).not.toEqual(second.bytes)
    expect(driver!.request(0, [], 4096).length).toBe(4096)
  })

  test('the switch floods what it does not know, and learns where each station is', () => {
    const network = new LearningSwitch()
    const [a, b, c] = drive([network.addDevice(), network.addDevice(), network.addDevice()])
    const frame = (to: number, from: number): number[] => [...mac(to), ...mac(from), 8, 0, ...new Array(50).fill(to)]
    for (const one of [a!, b!, c!]) receive(one)
    send(a!, frame(2, 1))
    expect([receive(b!), receive(c!)]).toEqual([frame(2, 1), frame(2, 1)])
    send(b!, frame(1, 2))
    expect([receive(a!), receive(c!)]).toEqual([frame(1, 2), null])
    send(a!, frame(2, 1))
    expect([receive(b!), receive(c!), receive(a!)]).toEqual([frame(2, 1), null, null])
  })

  test('the responder answers ARP and pings for its address, and nothing else', () => {
    const [driver] = drive([responderDevice('192.0.2.1')])
    receive(driver!)
    const arp = (target: number): number[] => [
      ...[255, 255, 255, 255, 255, 255, ...mac(9), 8, 6, 0, 1, 8, 0, 6, 4, 0, 1],
      ...[...mac(9), 192, 0, 2, 9, 0, 0, 0, 0, 0, 0, 192, 0, 2, target],
    ]
    send(driver!, arp(1))
    const answer = receive(driver!)!
    expect(answer.slice(0, 12)).toEqual([...mac(9), ...mac(1)])
    expect(answer.slice(20, 42)).toEqual([0, 2, ...mac(1), 192, 0, 2, 1, ...mac(9), 192, 0, 2, 9])
    send(driver!, arp(2))
    expect(receive(driver!)).toBeNull()
    const ip = [0x45, 0, 0, 32, 0, 0, 0, 0, 64, 1, 0, 0, 192, 0, 2, 9, 192, 0, 2, 1]
    const echo = [8, 0, 0xf7, 0xfd, 0, 1, 0, 1, 1, 2, 3, 4]
    send(driver!, [...mac(1), ...mac(9), 8, 0, ...ip, ...echo])
    const pong = receive(driver!)!
    expect(pong.slice(26, 38)).toEqual([192, 0, 2, 1, 192, 0, 2, 9, 0, 0, 0xff, 0xfd])
  })
})
