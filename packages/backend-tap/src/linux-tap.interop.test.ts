import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AccessCounters, CopyWindow, plainCpu, UncheckedUser2019 } from '@vring/accessor'
import {
  featureSet,
  NET_HDR_CSUM_START_OFFSET,
  NET_HDR_GSO_TYPE_OFFSET,
  NET_HDR_LEGACY_BYTES,
  splitRingAreas,
  VIRTIO_F_VERSION_1,
  VIRTIO_NET_HDR_GSO_TCPV4,
} from '@vring/layout'
import {
  assembleBpf,
  closeFd,
  exitProgram,
  IoUring,
  interfaceIndex,
  KernelXdpProgram,
  linkInfo,
  load32,
  openTunQueue,
  PollSet,
  processResources,
  setLinkXdp,
  setTunQueueAttached,
  systemErrnoOf,
  systemError,
  unshareNetwork,
} from '@vring/linux'
import { GuestMap, MappedSpace, memoryView } from '@vring/memory'
import { FrameBatch, NET_BATCH, type NetBackend, RxRound, TxRound } from '@vring/vhost-net'
import { DeviceQueue, DriverQueue } from '@vring/virtqueue'
import { XDP_DROP, XDP_PASS, Xdp1 } from '@vring/xdp'
import fc from 'fast-check'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { TapDevice } from './index.ts'
import { CountingXdp, KernelXdpObject, LinuxTap, type LinuxTapOptions, LinuxTapQueue, type TapIo } from './linux.ts'

const HEADER = 12
const SLOT = 256
const isRoot = process.getuid?.() === 0

/** A batch of `count` frames of `bytes` bytes each, addressed to everybody, in a view of its own. */
function batchOf(count: number, bytes: number): FrameBatch {
  const batch = new FrameBatch(
    HEADER,
    memoryView(new ArrayBuffer(NET_BATCH * Math.max(SLOT, (HEADER + bytes + 3) & ~3))),
  )
  const stride = batch.view.u8.length / NET_BATCH
  for (let i = 0; i < count; i++) {
    const frame = i * stride + HEADER
    batch.view.u8.fill(0xff, frame, frame + 6)
    batch.view.u8.set([2, 0, 0, 0, 0, 1, 0x88, 0xb5, i], frame + 6)
    batch.offset[i] = i * stride
    batch.length[i] = HEADER + bytes
  }
  batch.count = count
  return batch
}

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
}

describe.skipIf(!isRoot)(`a Linux TAP${isRoot ? '' : ' (skipped: needs root)'}`, () => {
  const closing: { close(): void }[] = []
  const before = { fds: 0 }
  beforeAll(() => {
    unshareNetwork()
    before.fds = processResources().openFds
  })
  afterEach(() => {
    for (const one of closing.splice(0).reverse()) one.close()
  })
  function keep<T extends { close(): void }>(one: T): T {
    closing.push(one)
    return one
  }
  const open = (options: LinuxTapOptions = {}): LinuxTap => keep(LinuxTap.open(options))
  const serve = (tap: LinuxTap, io?: TapIo, index = 0): LinuxTapQueue =>
    keep(new LinuxTapQueue(tap.queues[index]!, io === undefined ? {} : { io }))

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
      queue.transmit(batchOf(3, 1019))
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

    test('while the interface is down frames are dropped as EIO, and flow when it is up again', () => {
      // Without a program: tun's fast path runs one before it looks whether the interface is up.
      const tap = open()
      const queue = serve(tap, io)
      tap.set({ up: false })
      queue.transmit(batchOf(3, 64))
      queue.flush()
      expect(queue.counters.txDropped).toEqual({ EIO: 3 })
      tap.set({ up: true })
      queue.transmit(batchOf(3, 64))
      queue.flush()
      expect(queue.counters.txDropped).toEqual({ EIO: 3 })
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

  test('a persistent interface stays and is opened again; a temporary one goes', () => {
    open({ name: 'vringkeep', persistent: true }).close()
    expect(interfaceIndex('vringkeep')).toBeGreaterThan(0)
    open({ name: 'vringkeep', create: false, persistent: false }).close()
    expect(() => interfaceIndex('vringkeep')).toThrow(/ENODEV/)
  })

  test('what is missing, busy, no TAP or not possible is an error that says so', () => {
    expect(() => LinuxTap.open({ name: 'vringnone', create: false })).toThrow(/ENODEV.*vringnone/)
    open({ name: 'vringbusy' })
    expect(() => LinuxTap.open({ name: 'vringbusy' })).toThrow(/EBUSY.*one queue only/)
    expect(() => LinuxTap.open({ name: 'lo' })).toThrow(/EINVAL.*no TAP/)
    expect(() => LinuxTap.open({ name: 'a/b' })).toThrow(/interface is a\/b/)
    expect(() => LinuxTap.open({ queues: 0 })).toThrow(/queues is 0/)
    expect(() => LinuxTap.open({ offloads: { tso4: true } })).toThrow(/segmentation needs it/)
    expect(() => LinuxTap.open({ name: 'vringmtu', mtu: 10, persistent: true })).toThrow(/netlink: EINVAL/)
    expect(() => interfaceIndex('vringmtu')).toThrow(/ENODEV/)
    const tap = open()
    const one = keep(new CountingXdp(XDP_DROP))
    tap.attachXdp(one.program)
    let error: unknown
    try {
      tap.attachXdp(one.program)
    } catch (caught) {
      error = caught
    }
    expect(systemErrnoOf(error)).toBe('EBUSY')
  })

  test('a program that the verifier refuses is named with its instruction and the reason', () => {
    const instructions = assembleBpf([load32(0, 3, 0), exitProgram()])
    expect(() => KernelXdpProgram.load({ name: 'wild', instructions })).toThrow(
      /XDP program wild at instruction 0: .*: R3 !read_ok/,
    )
  })

  test('segmentation offload: who accepts it gets the long frame as it was, who does not gets segments with checksums', () => {
    const sender = serve(open({ name: 'vringgso' }))
    const accepting = serve(open({ name: 'vringtso', offloads: { csum: true, tso4: true } }))
    const plain = serve(open({ name: 'vringplain' }))
    ip('link', 'add', 'vringbr', 'type', 'bridge')
    for (const name of ['vringgso', 'vringtso', 'vringplain']) ip('link', 'set', name, 'master', 'vringbr')
    ip('link', 'set', 'vringbr', 'up')
    for (const queue of [accepting, plain]) drain(queue)
    const payload = 3000
    const batch = tcpSegment(payload, 1460)
    sender.transmit(batch)
    sender.flush()
    expect(sender.counters.txDropped).toEqual({})
    const whole = receiveTcp(accepting, payload)
    expect(whole.map(({ header, frame }) => [header[1], header[4]! | (header[5]! << 8), frame.length])).toEqual([
      [VIRTIO_NET_HDR_GSO_TCPV4, 1460, 54 + payload],
    ])
    expect(whole[0]!.header[0]).toBe(1)
    const segments = receiveTcp(plain, payload)
    expect(segments.map(({ header, frame }) => [header[0], header[1], frame.length])).toEqual([
      [0, 0, 1514],
      [0, 0, 1514],
      [0, 0, 54 + payload - 2 * 1460],
    ])
    for (const { frame } of segments) expect(tcpChecksum(frame)).toBe(0xffff)
    ip('link', 'del', 'vringbr')
  })

  test('without BPF links a program is attached and taken off by rtnetlink', () => {
    const tap = open()
    const drop = keep(new CountingXdp(XDP_DROP))
    for (const mode of ['native', 'generic'] as const) {
      setLinkXdp(tap.ifindex, drop.program.fd, mode)
      expect(tap.info().xdp).toEqual({ mode, programId: drop.program.id })
      expect(() => setLinkXdp(tap.ifindex, drop.program.fd, mode)).toThrow(/EBUSY/)
      setLinkXdp(tap.ifindex, -1, mode)
      expect(tap.info().xdp.mode).toBe('none')
    }
    expect(() => setLinkXdp(tap.ifindex, tap.queues[0]!.fd, 'native')).toThrow(/attaching XDP, native mode/)
  })

  test('NAPI hands frames to the stack as well', async () => {
    const tap = open({ napi: true })
    const queue = serve(tap)
    queue.transmit(batchOf(20, 100))
    queue.flush()
    await expect.poll(() => tap.info().stats.rxPackets, { timeout: 5000 }).toBe(20)
  })

  test('xdp1 as clang compiled it counts in the kernel what its TypeScript version counts in process', () => {
    const object = readFileSync(join(import.meta.dirname, '../../xdp/fixtures/xdp1.v3.o'))
    const xdp1 = keep(KernelXdpObject.load(new Uint8Array(object)))
    const tap = open()
    expect(tap.attachXdp(xdp1.program)).toBe('native')
    const queue = serve(tap)
    const model = new Xdp1()
    const inProcess = new TapDevice({ program: model }).queues[0]!
    // IPv4 with protocol numbers 1, 6 and 17 in turn, and one frame in five that is no IP.
    const batch = batchOf(NET_BATCH, 60)
    for (let i = 0; i < NET_BATCH; i++) {
      const frame = batch.offset[i]! + HEADER
      if (i % 5 !== 0) batch.view.u8.set([0x08, 0x00, 0x45], frame + 12)
      batch.view.u8[frame + 14 + 9] = [1, 6, 17][i % 3]!
    }
    for (const one of [queue, inProcess]) {
      one.transmit(batch)
      one.flush()
    }
    const rxcnt = xdp1.maps.get('rxcnt')!
    for (let protocol = 0; protocol < 256; protocol++) expect(rxcnt.counter(protocol)).toBe(model.counters[protocol])
    expect(model.counters[17]).toBeGreaterThan(10)
    expect(() => KernelXdpObject.load(new Uint8Array(object), { program: 'xdp9' })).toThrow(/program is xdp9/)
  })

  test('the chains of a driver reach the program through a transmit round, in place, from several memory regions', () => {
    const tap = open()
    const drop = keep(new CountingXdp(XDP_DROP))
    tap.attachXdp(drop.program)
    const backend = serve(tap)
    const { driver, memory, parts } = guest()
    const round = new TxRound({ ...parts, backend })
    for (let i = 0; i < 3; i++) {
      const batch = batchOf(NET_BATCH, 60)
      for (let chain = 0; chain < 200; chain++) {
        const { guestAddress, view } = memory[chain % 2]!
        view.u8.set(batch.view.u8.subarray(0, HEADER + 60), chain * SLOT)
        driver.addOne(guestAddress + chain * SLOT, HEADER + 60, false)
      }
      driver.publish()
      expect(round.run()).toBe(200)
      expect(driver.reclaim()).toBe(200)
    }
    expect(drop.frames).toBe(600)
    expect(backend.counters).toMatchObject({ txFrames: 600, txBytes: 36_000, txDropped: {} })
  })

  test('frames of the stack reach the buffers of a driver through a receive round', () => {
    const source = serve(open({ name: 'vringin' }))
    ip('addr', 'add', '10.6.0.1/24', 'dev', 'vringin')
    ip('neigh', 'replace', '10.6.0.2', 'lladdr', '02:00:00:00:00:09', 'dev', 'vringin')
    drain(source)
    const { driver, memory, parts } = guest()
    const { guestAddress, view } = memory[0]!
    for (let i = 0; i < 64; i++) driver.addOne(guestAddress + i * SLOT, SLOT, true)
    driver.publish()
    const round = new RxRound({ ...parts, source })
    spawnSync('bash', ['-c', 'for i in 1 2 3; do echo -n "datagram $i" > /dev/udp/10.6.0.2/9; done'])
    for (const end = performance.now() + 2000; round.frames < 3 && performance.now() < end; ) round.run()
    const texts = Array.from({ length: round.frames }, (_, i) => Buffer.from(view.u8.buffer, i * SLOT, SLOT))
      .map((slot) => slot.subarray(HEADER))
      .filter((frame) => frame.readUInt16BE(12) === 0x0800)
      .map((frame) => frame.toString('latin1', 42, 42 + frame.readUInt16BE(38) - 8))
    expect(texts).toEqual(['datagram 1', 'datagram 2', 'datagram 3'])
    expect(driver.reclaim()).toBe(round.frames)
  })

  test('no frame of a hostile driver is lost without a reason, and what the device in process refuses the kernel refuses too', () => {
    const tap = open()
    const queue = serve(tap)
    const field = fc.oneof(fc.nat(70), fc.nat(0xffff))
    const hostile = fc.record({
      bytes: fc.oneof(fc.nat(80), fc.nat(1600)),
      flags: fc.nat(255),
      type: fc.oneof(fc.constantFrom(0, 1, 3, 4, 5), fc.nat(255)),
      fields: fc.tuple(field, field, field, field),
      payload: fc.uint8Array({ minLength: 54, maxLength: 54 }),
    })
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 1, maxLength: NET_BATCH }), (frames) => {
        for (const { bytes, flags, type, fields, payload } of frames) {
          const batch = new FrameBatch(HEADER, memoryView(new ArrayBuffer(2048)))
          batch.view.u8.set([flags, type], 0)
          batch.view.u16.set(fields, 1)
          batch.view.u8.set(payload.subarray(0, bytes), HEADER)
          batch.length[0] = HEADER + bytes
          batch.count = 1
          const model = new TapDevice({ queueFrames: 1 }).queues[0]!
          const before = dropped(queue)
          for (const one of [model, queue]) {
            one.transmit(batch)
            one.flush()
          }
          if (dropped(model) > 0 && !isTakenByKernel(fields[0], bytes))
            expect(dropped(queue), `the kernel took a frame that was refused`).toBe(before + 1)
        }
      }),
      { numRuns: 12 },
    )
    const { txFrames } = queue.counters
    const { rxPackets } = tap.info().stats
    expect(rxPackets + dropped(queue)).toBe(txFrames)
    expect(rxPackets).toBeGreaterThan(0)
  })

  test('a process that is killed leaves neither interface nor program behind', async () => {
    const script = `
      import { TapDevice } from './index.ts'
import { CountingXdp, KernelXdpObject, LinuxTap, LinuxTapQueue } from '@vring/backend-tap/linux'
      import { attachXdp, interfaceIndex } from '@vring/linux'
      const tap = LinuxTap.open({ name: 'vringkill' })
      const drop = new CountingXdp(1)
      tap.attachXdp(drop.program)
      new LinuxTapQueue(tap.queues[0])
      attachXdp(drop.program, interfaceIndex('vringhost'))
      console.log('ready')
      setInterval(() => {}, 1000)`
    ip('link', 'add', 'vringhost', 'type', 'veth', 'peer', 'name', 'vringpeer')
    const host = interfaceIndex('vringhost')
    for (let i = 0; i < 2; i++) {
      const flags = ['--import', 'tsx', '--conditions=@vring/source', '--input-type=module', '-e', script]
      const child = spawn(process.execPath, flags, { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'inherit'] })
      const exit = once(child, 'exit')
      await once(child.stdout, 'data')
      expect(linkInfo(host).xdp.mode).toBe('native')
      expect(interfaceIndex('vringkill')).toBeGreaterThan(0)
      child.kill('SIGKILL')
      await exit
      // The kernel lets go of the files of a dead process on its own time.
      await expect.poll(() => linkInfo(host).xdp.mode, { timeout: 5000 }).toBe('none')
      await expect.poll(isMissing('vringkill'), { timeout: 5000 }).toBe(true)
    }
    ip('link', 'del', 'vringhost')
  })

  test('nothing is left behind: descriptors and interfaces are gone', () => {
    expect(processResources().openFds).toBe(before.fds)
    const { fd, name } = openTunQueue()
    closeFd(fd)
    expect(() => interfaceIndex(name)).toThrow(/ENODEV/)
  })
})

/**
 * Since tun_vnet_hdr_get has a file of its own (Linux 6.15, drivers/net/tun_vnet.h) tun compares hdr_len with all that follows
 * the first 10 bytes: `num_buffers` of the longer header counts as if it were frame. Such a frame may be taken or refused.
 */
function isTakenByKernel(hdrLen: number, frameBytes: number): boolean {
  return hdrLen > frameBytes && hdrLen <= frameBytes + HEADER - NET_HDR_LEGACY_BYTES
}

/** Takes what the stack says on its own (IPv6 neighbour discovery) until it is quiet. */
function drain(queue: LinuxTapQueue): void {
  const poll = new PollSet()
  poll.watch([queue.wakeFd])
  for (let i = 0; i < 100 && poll.wait(50) > 0; i++) queue.consume(queue.receive().count)
}

/** Does the interface not exist? */
function isMissing(name: string): () => boolean {
  return () => {
    try {
      interfaceIndex(name)
      return false
    } catch (error) {
      return systemErrnoOf(error) === 'ENODEV'
    }
  }
}

/** Frames of the driver that a queue dropped, for whatever reason. */
function dropped(queue: NetBackend): number {
  return Object.values(queue.counters.txDropped).reduce((sum, frames) => sum + frames, 0)
}

/** A driver's queue in two regions of guest memory, each in a view of its own, and what a round over it is made of. */
function guest() {
  const bytes = 2 ** 20
  const features = featureSet(VIRTIO_F_VERSION_1)
  const memory = [0x10_0000, 0x80_0000].map((guestAddress, index) => {
    return { guestAddress, userAddress: 0x7f00_0000_0000 + index * 2 * bytes, view: memoryView(new ArrayBuffer(bytes)) }
  })
  const space = new MappedSpace(
    memory.map(({ userAddress, view }) => ({ address: userAddress, length: bytes, view, viewOffset: 0 })),
  )
  const buffers = new GuestMap(
    space,
    memory.map(({ guestAddress, userAddress }) => ({ guestAddress, userAddress, length: bytes })),
  )
  const base = memory[0]!.userAddress + bytes - 0x1_0000
  const ring = splitRingAreas(256, false, base, base + 0x4000, base + 0x8000)
  const user = new UncheckedUser2019(plainCpu, space)
  const accessor = {
    name: 'test',
    desc: new CopyWindow(user, ring.desc.address),
    avail: new CopyWindow(user, ring.avail.address),
    used: new CopyWindow(user, ring.used.address),
    beginRound: () => 'ready' as const,
    endRound: () => {},
    counters: new AccessCounters(),
    close: () => {},
  }
  const queue = new DeviceQueue({ accessor, cpu: plainCpu, ring, features, buffers })
  queue.start(0)
  const driver = new DriverQueue({ ring, memory: space, features })
  return { driver, memory, parts: { queue, buffers, cpu: plainCpu, features } }
}

/** One TCP segment over IPv4 of `payload` bytes that is to be cut into pieces of `gsoSize`, checksum partial. */
function tcpSegment(payload: number, gsoSize: number): FrameBatch {
  const batch = new FrameBatch(HEADER, memoryView(new ArrayBuffer((HEADER + 54 + payload + 3) & ~3)))
  const { u8, buffer } = batch.view
  const view = new DataView(buffer)
  // virtio_net_hdr: NEEDS_CSUM, TCPV4, hdr_len, gso_size, csum_start, csum_offset.
  u8.set([1, VIRTIO_NET_HDR_GSO_TCPV4, 54, 0, gsoSize & 0xff, gsoSize >> 8, 34, 0, 16, 0])
  u8.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x00], HEADER)
  const ipv4 = HEADER + 14
  u8.set([0x45, 0, 0, 0, 0, 1, 0, 0, 64, 6, 0, 0, 10, 7, 0, 1, 10, 7, 0, 2], ipv4)
  view.setUint16(ipv4 + 2, 40 + payload)
  view.setUint16(ipv4 + 10, ~onesComplementSum(u8, ipv4, 20) & 0xffff)
  const tcp = ipv4 + 20
  u8.set([0x10, 0x00, 0x10, 0x01, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0x20, 0x00], tcp)
  // Pseudo header: addresses, protocol, length.
  view.setUint16(tcp + 16, (onesComplementSum(u8, ipv4 + 12, 8) + 6 + 20 + payload) % 0xffff)
  for (let i = 0; i < payload; i++) u8[tcp + 20 + i] = i * 7
  batch.length[0] = HEADER + 54 + payload
  batch.count = 1
  return batch
}

/** Frames of TCP over IPv4 that arrive until they carry `payload` bytes, or for a second. */
function receiveTcp(queue: LinuxTapQueue, payload: number): { header: Uint8Array; frame: Uint8Array }[] {
  const found: { header: Uint8Array; frame: Uint8Array }[] = []
  let bytes = 0
  for (const end = performance.now() + 1000; bytes < payload && performance.now() < end; ) {
    const { count, offset, length, view } = queue.receive()
    for (let i = 0; i < count; i++) {
      const frame = view.u8.slice(offset[i]! + HEADER, offset[i]! + length[i]!)
      if (frame[12] !== 8 || frame[13] !== 0 || frame[23] !== 6) continue
      found.push({ header: view.u8.slice(offset[i], offset[i]! + HEADER), frame })
      bytes += frame.length - 54
    }
    queue.consume(count)
  }
  return found
}

/** Sum over a TCP segment and its pseudo header: 0xffff when the checksum is right. */
function tcpChecksum(frame: Uint8Array): number {
  const bytes = frame.length - 34
  const sum = onesComplementSum(frame, 34, bytes) + onesComplementSum(frame, 26, 8) + 6 + bytes
  return sum % 0xffff || 0xffff
}

/** RFC 1071, over `bytes` bytes from `at`. */
function onesComplementSum(u8: Uint8Array, at: number, bytes: number): number {
  let sum = 0
  for (let i = 0; i < bytes; i += 2) sum += (u8[at + i]! << 8) | (i + 1 < bytes ? u8[at + i + 1]! : 0)
  return sum % 0xffff
}
