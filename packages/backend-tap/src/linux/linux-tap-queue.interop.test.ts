import { spawnSync } from 'node:child_process'
import { NET_HDR_CSUM_START_OFFSET, NET_HDR_GSO_TYPE_OFFSET, VIRTIO_NET_HDR_GSO_TCPV4 } from '@vring/layout'
import { IoUring, interfaceIndex, PollSet, setTunQueueAttached, systemError } from '@vring/linux'
import { memoryView } from '@vring/memory'
import { FrameBatch, NET_BATCH } from '@vring/vhost-net'
import { XDP_DROP, XDP_PASS } from '@vring/xdp'
import { describe, expect, test } from 'vitest'
import { batchOf, describeLinuxTap, drain, HEADER, ip } from '../../test/linux-tap-fixture.ts'
import { CountingXdp, LinuxTapQueue, type TapIo } from '../linux.ts'

describeLinuxTap('a queue of a Linux TAP', ({ keep, open, serve }) => {
  describe.each<TapIo>(['io_uring', 'readv'])('over %s', (io) => {
    test('every frame that is sent reaches the XDP program on it, in native mode', () => {
      const tap = open()
      const drop = keep(new CountingXdp(XDP_DROP))
      expect(tap.attachXdp(drop.program)).toBe('native')
      expect(tap.info().xdp).toEqual({ mode: 'native', programId: drop.program.id })
      const queue = serve(tap, io)
      const batch = batchOf(NET_BATCH, 64)
      for (let i = 0; i < 100; i++) {
        expect(queue.transmit(batch)).toBe(NET_BATCH)
        queue.flush()
      }
      expect(drop.frames).toBe(100 * NET_BATCH)
      expect(queue.counters).toMatchObject({ txFrames: 6400, txBytes: 6400 * 64, txDropped: {} })
      tap.detachXdp()
      expect(tap.info().xdp.mode).toBe('none')
    })

    test('a program that passes lets frames into the stack, and the interface counts them', () => {
      const tap = open()
      const pass = keep(new CountingXdp(XDP_PASS))
      tap.attachXdp(pass.program, 'generic')
      expect(tap.info().xdp.mode).toBe('generic')
      const queue = serve(tap, io)
      queue.transmit(batchOf(10, 100))
      queue.flush()
      expect(pass.frames).toBe(10)
      expect(tap.info().stats).toMatchObject({ rxPackets: 10, rxBytes: 1000 })
    })

    test('one batch may lie in several views, and more frames than the ring has slots', () => {
      const tap = open()
      const drop = keep(new CountingXdp(XDP_DROP))
      tap.attachXdp(drop.program)
      const queue = serve(tap, io)
      queue.transmit(batchOf(NET_BATCH, 60))
      queue.transmit(batchOf(5, 60))
      queue.transmit(batchOf(NET_BATCH, 60))
      queue.flush()
      expect(drop.frames).toBe(2 * NET_BATCH + 5)
    })

    test('frames of the stack are received with their header, in order, until they are consumed', () => {
      const tap = open({ name: 'vringrx' })
      const queue = serve(tap, io)
      const other = serve(open({ name: 'vringtx' }), io)
      // A bridge between two TAPs: what is sent into one is received from the other.
      ip('link', 'add', 'vringbr', 'type', 'bridge')
      for (const name of ['vringrx', 'vringtx']) ip('link', 'set', name, 'master', 'vringbr')
      ip('link', 'set', 'vringbr', 'up')
      drain(queue)
      const sent = batchOf(NET_BATCH, 200)
      other.transmit(sent)
      other.flush()
      const received: number[] = []
      let first = true
      for (let round = 0; round < 200 && received.length < NET_BATCH; round++) {
        const frames = queue.receive()
        expect(queue.receive()).toBe(frames)
        let count = 0
        for (; count < frames.count; count++) {
          const frame = frames.offset[count]! + HEADER
          const type = frames.view.u8[frame + 12]! * 256 + frames.view.u8[frame + 13]!
          if (type === 0x88b5) {
            expect(frames.length[count]).toBe(HEADER + 200)
            received.push(frames.view.u8[frame + 14]!)
            if (first) break
          }
        }
        // The first time only up to the first frame: the rest comes again.
        queue.consume(first ? Math.min(count + 1, frames.count) : frames.count)
        if (received.length > 0) first = false
      }
      expect(received).toEqual(Array.from({ length: NET_BATCH }, (_, index) => index))
      ip('link', 'del', 'vringbr')
    })

    test('an interface deleted under the queue drops frames as gone, and ends nothing else', () => {
      const tap = open({ name: 'vringdel' })
      const queue = serve(tap, io)
      const other = open()
      const drop = keep(new CountingXdp(XDP_DROP))
      other.attachXdp(drop.program)
      const survivor = serve(other, io)
      tap.delete()
      expect(() => interfaceIndex('vringdel')).toThrow(/ENODEV/)
      for (let i = 0; i < 3; i++) {
        expect(queue.transmit(batchOf(8, 64))).toBe(8)
        queue.flush()
      }
      expect(queue.counters.txDropped).toEqual({ gone: 24 })
      expect(queue.receive().count).toBe(0)
      expect(queue.wakeFd).toBe(-1)
      survivor.transmit(batchOf(8, 64))
      survivor.flush()
      expect(drop.frames).toBe(8)
      tap.delete()
    })

    test('frames that are too short, too long or whose header lies are dropped by reason', () => {
      const queue = serve(open({ mtu: 1000 }), io)
      const short = batchOf(2, 13)
      queue.transmit(short)
      queue.transmit(batchOf(3, 1023))
      const lying = batchOf(4, 100)
      for (let i = 0; i < 4; i++) {
        lying.view.u8[lying.offset[i]!] = 1
        lying.view.u16[(lying.offset[i]! + NET_HDR_CSUM_START_OFFSET) >>> 1] = 500
      }
      queue.transmit(lying)
      const gsoWithoutSize = batchOf(1, 1200)
      gsoWithoutSize.view.u8[NET_HDR_GSO_TYPE_OFFSET] = VIRTIO_NET_HDR_GSO_TCPV4
      queue.transmit(gsoWithoutSize)
      queue.flush()
      expect(queue.counters.txDropped).toEqual({ short: 2, oversize: 3, EINVAL: 5 })
      expect(queue.counters.txFrames).toBe(10)
    })

    test('while the interface is down frames are dropped as down, and flow when it is up again', () => {
      // Without a program: tun's fast path runs one before it looks whether the interface is up.
      const tap = open()
      const queue = serve(tap, io)
      tap.set({ up: false })
      queue.transmit(batchOf(3, 64))
      queue.flush()
      expect(queue.counters.txDropped).toEqual({ down: 3 })
      tap.set({ up: true })
      queue.transmit(batchOf(3, 64))
      queue.flush()
      expect(queue.counters.txDropped).toEqual({ down: 3 })
      expect(tap.info().stats.rxPackets).toBe(3)
    })
  })

  test('io_uring that is refused falls back to readv and says why', () => {
    const tap = open()
    // No system in the test environment has io_uring switched off: the ring is made to fail as the kernel would.
    const create = IoUring.create
    try {
      IoUring.create = () => {
        throw systemError('io_uring_setup', 1)
      }
      const queue = serve(tap)
      expect(queue.io).toBe('readv')
      expect(queue.ioRefusal).toMatch(/io_uring_setup: EPERM/)
      expect(() => new LinuxTapQueue(tap.queues[0]!, { io: 'io_uring' })).toThrow(/EPERM/)
      queue.transmit(batchOf(3, 64))
      queue.flush()
      expect(queue.counters.txDropped).toEqual({})
      expect(tap.info().stats.rxPackets).toBe(3)
    } finally {
      IoUring.create = create
    }
  })

  test('its descriptor wakes a poll when a frame waits', () => {
    const tap = open({ name: 'vringpoll' })
    const queue = serve(tap)
    ip('addr', 'add', '10.9.0.1/24', 'dev', 'vringpoll')
    drain(queue)
    const poll = new PollSet()
    poll.watch([queue.wakeFd])
    // An ARP request for a neighbour that is not there.
    spawnSync('bash', ['-c', 'echo > /dev/udp/10.9.0.2/9'])
    expect(poll.wait(2000)).toBe(1)
    expect(queue.receive().count).toBeGreaterThan(0)
  })

  test('several queues send, and one that is detached gets no frames', () => {
    const tap = open({ queues: 2 })
    const drop = keep(new CountingXdp(XDP_DROP))
    tap.attachXdp(drop.program)
    const [first, second] = [serve(tap, 'io_uring', 0), serve(tap, 'io_uring', 1)]
    for (const queue of [first, second]) {
      queue.transmit(batchOf(8, 64))
      queue.flush()
    }
    expect(drop.frames).toBe(16)
    // A detached queue gets no frames: each one that the stack sends goes to the other.
    setTunQueueAttached(tap.queues[1]!.fd, false)
    drain(first)
    for (let port = 1; port <= 8; port++)
      ip('neigh', 'replace', `10.8.0.${port + 1}`, 'lladdr', '02:00:00:00:00:09', 'dev', tap.name)
    ip('addr', 'add', '10.8.0.1/24', 'dev', tap.name)
    for (let port = 1; port <= 8; port++) spawnSync('bash', ['-c', `echo > /dev/udp/10.8.0.${port + 1}/9`])
    expect(second.receive().count).toBe(0)
    let received = 0
    for (let frames = first.receive(); frames.count > 0; frames = first.receive()) {
      received += frames.count
      first.consume(frames.count)
    }
    expect(received).toBeGreaterThanOrEqual(8)
    setTunQueueAttached(tap.queues[1]!.fd, true)
    expect(second.gone).toBe(false)
  })

  test('a driver with the 10-byte header changes the interface to it', () => {
    const tap = open()
    const queue = serve(tap)
    const batch = new FrameBatch(10, memoryView(new ArrayBuffer(128)))
    batch.view.u8.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5], 10)
    batch.length[0] = 10 + 60
    batch.count = 1
    queue.transmit(batch)
    queue.flush()
    expect(queue.counters.txDropped).toEqual({})
    expect(tap.info().stats).toMatchObject({ rxPackets: 1, rxBytes: 60 })
    expect(queue.receive().headerBytes).toBe(10)
  })

  test('a queue receives by the header that a driver chose on another queue of the interface', () => {
    const tap = open({ queues: 2 })
    const [first, second] = [serve(tap, 'io_uring', 0), serve(tap, 'io_uring', 1)]
    first.transmit(batchOf(1, 64, 10))
    first.flush()
    // A detached queue gets no frames: all that the stack sends come to the second.
    setTunQueueAttached(tap.queues[0]!.fd, false)
    ip('neigh', 'replace', '10.8.0.2', 'lladdr', '02:00:00:00:00:09', 'dev', tap.name)
    ip('addr', 'add', '10.8.0.1/24', 'dev', tap.name)
    spawnSync('bash', ['-c', 'echo > /dev/udp/10.8.0.2/9'])
    const destinations: string[] = []
    for (let frames = second.receive(); frames.count > 0; frames = second.receive()) {
      expect(frames.headerBytes).toBe(10)
      for (let i = 0; i < frames.count; i++) {
        const at = frames.offset[i]! + frames.headerBytes
        destinations.push(Buffer.from(frames.view.u8.subarray(at, at + 6)).toString('hex'))
      }
      second.consume(frames.count)
    }
    expect(destinations).toContain('020000000009')
  })

  test('NAPI hands frames to the stack as well', async () => {
    const tap = open({ napi: true })
    const queue = serve(tap)
    queue.transmit(batchOf(20, 100))
    queue.flush()
    await expect.poll(() => tap.info().stats.rxPackets, { timeout: 5000 }).toBe(20)
  })
})
