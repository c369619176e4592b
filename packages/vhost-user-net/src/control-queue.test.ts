import { vmapDirect } from '@vring/accessor-vmap-direct'
import {
  featureNames,
  featureSet,
  VIRTIO_ID_NET,
  VIRTIO_NET_F_CTRL_VQ,
  VIRTIO_NET_F_GUEST_ANNOUNCE,
  VIRTIO_NET_F_MQ,
} from '@vring/layout'
import { UnixSocket, unsupportedHost } from '@vring/linux'
import { ACCESS_WRITE, work } from '@vring/memory'
import { DropBackend, type FrameBatch, type FrameSource, LoopbackBackend } from '@vring/vhost-net'
import { BackendSession, linuxHost, VhostUserDriver } from '@vring/vhost-user'
import { describe, expect, test } from 'vitest'
import { NetDevice } from './net-device.ts'

const reason = unsupportedHost()
const CONTROL = featureSet(VIRTIO_NET_F_MQ, VIRTIO_NET_F_CTRL_VQ)

/** A driver of `pairs` queue pairs and a control queue, in this thread. */
function connect(pairs: number, features = CONTROL) {
  const ends = Array.from({ length: pairs }, () => new LoopbackBackend())
  const device = new NetDevice({
    ...{ accessor: vmapDirect, queuePairs: pairs },
    backend: (pair) => ends[pair]!,
    source: (pair): FrameSource => ends[pair]!,
  })
  const [mine, transport] = UnixSocket.pair()
  const notes: string[] = []
  const session = new BackendSession({ transport, device, host: linuxHost, onNote: (line) => notes.push(line) })
  const driver = VhostUserDriver.connect({
    ...{ features, queues: 2 * pairs + 1, queueSize: 64 },
    transport: () => mine,
    wait: () => {
      session.poll()
      for (const index of session.activeQueues) device.serveQueue(index)
    },
  })
  const command = (...bytes: number[]): number =>
    driver.request(2 * pairs, [Uint8Array.from(bytes.slice(0, 2)), Uint8Array.from(bytes.slice(2))], 1).bytes[0]!
  return { device, driver, session, command, notes }
}

describe.skipIf(reason !== null)(`the control queue${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  test('virtio 1.3 5.1.6.5.6 sets the number of queue pairs, within those there are', () => {
    const { driver, session, command } = connect(2)
    expect(new DataView(driver.config(8, 2).slice().buffer).getUint16(0, true)).toBe(2)
    expect(command(4, 0, 2, 0)).toBe(0)
    for (const pairs of [0, 3, 0x100]) expect(command(4, 0, pairs & 0xff, pairs >> 8)).toBe(1)
    driver.close()
    session.close()
  })

  test('that breaks is told of on this side too, with why, once', () => {
    const { device, driver, session, notes } = connect(2)
    const { space } = session.memory
    const avail = space.resolve(session.vrings[4]!.address!.avail, 4, ACCESS_WRITE)
    // More chains than the ring has entries.
    space.view.u16[(avail + 2) >> 1] = 999
    for (let i = 0; i < 2; i++) device.serveQueue(4)
    expect(notes).toEqual([expect.stringMatching(/^queue 4 is broken: [a-z-]+; its driver has to reset it$/)])
    driver.close()
    session.close()
  })

  test('every other command, and one that is cut off, answers an error', () => {
    const { driver, session, command } = connect(2)
    for (const bytes of [
      [0, 0, 1, 0],
      [1, 0, 1, 0],
      [3, 0, 0, 0],
      [4, 1, 1, 0],
      [4, 0, 1],
      [4, 0, 1, 0, 0],
    ])
      expect(command(...bytes)).toBe(1)
    driver.close()
    session.close()
  })

  test('a command that changes the pairs is a look of its own; others are answered together', () => {
    const { driver, device, session } = connect(2)
    const control = driver.rings[4]!
    const looks = (bytes: readonly number[]): number[] => {
      for (let i = 0; i < 3; i++) control.send([Uint8Array.from(bytes)], 1)
      control.kick()
      return [0, 1, 2, 3].map(() => {
        work.begin()
        return device.serveQueue(4)
      })
    }
    expect(looks([4, 0, 2, 0])).toEqual([1, 1, 1, 0])
    expect(looks([3, 0, 0, 0])).toEqual([3, 0, 0, 0])
    driver.close()
    session.close()
  })

  test('before it says so, and for pairs that it does not use, the driver receives nothing', () => {
    const { driver, session, command } = connect(2)
    const [rx0, tx0, rx1, tx1] = driver.rings
    const frame = new Uint8Array(12 + 64)
    const echo = (rx: typeof rx0, tx: typeof tx0): boolean => {
      rx!.send([], 1526)
      rx!.kick()
      tx!.send([frame])
      tx!.kick()
      for (let i = 0; i < 3; i++) driver.wait()
      return rx!.receive() !== null
    }
    expect([echo(rx0, tx0), echo(rx1, tx1)]).toEqual([true, false])
    command(4, 0, 2, 0)
    expect(echo(rx1, tx1)).toBe(true)
    driver.close()
    session.close()
  })
})

test('offers MQ with several pairs, GUEST_ANNOUNCE when it is told to, and CTRL_VQ with each of them', () => {
  const names = (queuePairs: number, announce = false): string =>
    featureNames(
      new NetDevice({ accessor: vmapDirect, backend: () => new DropBackend(), queuePairs, announce }).features &
        (CONTROL | featureSet(VIRTIO_NET_F_GUEST_ANNOUNCE)),
      VIRTIO_ID_NET,
    )
  expect(names(1)).toBe('none')
  expect(names(2)).toBe('VIRTIO_NET_F_CTRL_VQ (17), VIRTIO_NET_F_MQ (22)')
  expect(names(1, true)).toBe('VIRTIO_NET_F_CTRL_VQ (17), VIRTIO_NET_F_GUEST_ANNOUNCE (21)')
})

test('SEND_RARP puts the frame that announces a station to the first pair’s backend', () => {
  const frames: Uint8Array[] = []
  const backend = Object.assign(new DropBackend(), {
    transmit: ({ view, headerBytes, length }: FrameBatch) => {
      frames.push(view.u8.slice(headerBytes, length[0]!))
      return 1
    },
  })
  new NetDevice({ accessor: vmapDirect, backend: () => backend }).sendRarp(Uint8Array.of(2, 0, 0, 0, 0, 9))
  expect(frames).toHaveLength(1)
  expect(frames[0]!.length).toBe(60)
  expect([...frames[0]!.subarray(0, 28)]).toEqual([
    ...[255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9, 0x80, 0x35],
    ...[0, 1, 8, 0, 6, 4, 0, 3, 2, 0, 0, 0, 0, 9],
  ])
})

test('what a device can’t be made of is refused when it is made', () => {
  const backend = (): DropBackend => new DropBackend()
  expect(() => new NetDevice({} as never)).toThrow('backend is undefined; accepted: a function of the queue pair')
  expect(() => new NetDevice({ accessor: vmapDirect, backend: new DropBackend() } as never)).toThrow(
    'backend is object',
  )
  expect(() => new NetDevice({ backend } as never)).toThrow('accessor is undefined; accepted: an accessor plugin')
  expect(() => new NetDevice({ accessor: vmapDirect, accessorOptions: { era: '1999' }, backend })).toThrow('era')
})
