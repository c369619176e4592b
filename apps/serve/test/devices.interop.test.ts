import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AfXdpInterface, AfXdpQueue, AfXdpSockets } from '@vring/backend-af-xdp'
import { readCapture } from '@vring/backend-pcap'
import { closeFd, interfaceIndex, linkInfo, openTunQueue, unshareNetwork, unsupportedHost } from '@vring/linux'
import { memoryView } from '@vring/memory'
import { FrameBatch } from '@vring/vhost-net'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { DaemonProcess, type DaemonProcessOptions, until } from './daemon-process.ts'
import { interfaces } from './leftovers.ts'
import { TestDriver } from './test-driver.ts'
import { withoutIoUring } from './without-io-uring.ts'

const isRoot = process.getuid?.() === 0
const reason = unsupportedHost() ?? (isRoot ? null : 'needs root')
const XDP1 = fileURLToPath(new URL('../programs/xdp1.o', import.meta.url))
const HEADER = 12
const SLOT = 2048

/** Broadcast frames of a type that no stack answers; their last bytes say which they are. */
function frames(count: number, bytes = 100): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => {
    const frame = new Uint8Array(bytes).fill(i & 0xff)
    frame.fill(0xff, 0, 6)
    frame.set([2, 0, 0, 0, 0, 1, 0x88, 0xb5], 6)
    return frame
  })
}

const isOurs = (frame: Uint8Array): boolean => frame[12] === 0x88 && frame[13] === 0xb5
const TX = 'vring_packets_total{pair="0",direction="tx"}'
const dropped = (reason: string): string => `vring_dropped_packets_total{pair="0",direction="tx",reason="${reason}"}`

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
}

/** xdp1 whose instruction before its exit reads beyond the stack. */
function wildObject(): Buffer {
  const object = readFileSync(XDP1)
  const exit = object.indexOf(Buffer.from([0x95, 0, 0, 0, 0, 0, 0, 0]))
  // r0 = *(u64 *)(r10 + 8)
  object.set([0x79, 0xa0, 8, 0, 0, 0, 0, 0], exit - 8)
  return object
}

describe.skipIf(reason !== null)(`vring-serve on devices${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  let socket: string
  let before: string[]
  let daemon: DaemonProcess | undefined
  const closing: { close(): void }[] = []
  beforeAll(() => {
    unshareNetwork()
    ip('link', 'set', 'lo', 'up')
  })
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-devices-'))
    socket = join(folder, 'vring.sock')
    before = interfaces()
  })
  afterEach(async () => {
    for (const one of closing.splice(0).reverse()) one.close()
    if (daemon !== undefined && daemon.child.exitCode === null) await daemon.end('SIGKILL')
    daemon = undefined
    rmSync(folder, { recursive: true })
    expect(interfaces()).toEqual(before)
  })
  function keep<T extends { close(): void }>(one: T): T {
    closing.push(one)
    return one
  }
  function run(args: readonly string[], options: DaemonProcessOptions = {}): DaemonProcess {
    daemon = new DaemonProcess(['--socket', socket, ...args], { from: 'built', ...options })
    return daemon
  }
  async function serve(args: readonly string[], options: DaemonProcessOptions = {}): Promise<DaemonProcess> {
    const started = run([...args, '--metrics', '127.0.0.1:0'], options)
    await started.ready()
    return started
  }

  test('a tap has the MTU that it was given, and longer frames are dropped as oversize', async () => {
    const started = await serve(['--backend', 'tap:vdmtu', '--mtu', '1000'])
    expect(linkInfo(interfaceIndex('vdmtu')).mtu).toBe(1000)
    const driver = keep(new TestDriver(socket))
    driver.send([...frames(3, 1022), ...frames(2, 1023)])
    await until('frames', () => driver.sent() === 5)
    // Segments may be longer, and the kernel cuts them: a plain frame that is longer can go nowhere.
    await until('the count', async () => (await started.metric(dropped('oversize'))) === 2)
    expect(linkInfo(interfaceIndex('vdmtu')).stats.rxPackets).toBe(3)
    expect(await started.end('SIGTERM')).toBe(0)
  })

  test('without io_uring frames cross by readv and writev, and the daemon says so', async () => {
    const started = await serve(['--backend', 'tap:vdcalls'], { by: withoutIoUring })
    await started.says(/without io_uring, by one call a frame: io_uring_setup: EPERM/)
    const driver = keep(new TestDriver(socket))
    driver.send(frames(50))
    await until('frames', () => driver.sent() === 50)
    expect(linkInfo(interfaceIndex('vdcalls')).stats.rxPackets).toBe(50)
    // What the stack sends reaches the driver: a neighbour is asked for.
    ip('addr', 'add', '10.9.0.1/24', 'dev', 'vdcalls')
    spawnSync('bash', ['-c', 'echo > /dev/udp/10.9.0.2/9'])
    await until('a frame of the stack', () => driver.receive().length > 0)
    expect(await started.end('SIGTERM')).toBe(0)
  })

  test('af-xdp carries frames over veth in both directions', async () => {
    ip('link', 'add', 'vdxskA', 'type', 'veth', 'peer', 'name', 'vdxskB')
    keep({ close: () => ip('link', 'del', 'vdxskA') })
    for (const name of ['vdxskA', 'vdxskB']) ip('link', 'set', name, 'up')
    const peerDevice = keep(AfXdpInterface.open({ name: 'vdxskB' }))
    const peer = keep(new AfXdpQueue(peerDevice.handle(0)))
    const started = await serve(['--backend', 'af-xdp:vdxskA:0'])
    await started.says(/vdxskA redirects its frames in native mode/)
    const driver = keep(new TestDriver(socket))
    const sent = frames(64)
    driver.send(sent)
    await until('frames', () => driver.sent() === 64)
    const arrived: Uint8Array[] = []
    await until('frames at the peer', () => {
      const batch = peer.receive()
      for (let i = 0; i < batch.count; i++) {
        const at = batch.offset[i]!
        arrived.push(batch.view.u8.slice(at + HEADER, at + batch.length[i]!))
      }
      peer.consume(batch.count)
      return arrived.filter(isOurs).length === 64
    })
    expect(Buffer.concat(arrived.filter(isOurs)).equals(Buffer.concat(sent))).toBe(true)

    const batch = new FrameBatch(HEADER, memoryView(new ArrayBuffer(64 * SLOT)))
    for (const [i, frame] of sent.entries()) {
      batch.offset[i] = i * SLOT
      batch.length[i] = HEADER + frame.length
      batch.view.u8.set(frame, i * SLOT + HEADER)
    }
    batch.count = 64
    expect(peer.transmit(batch)).toBe(64)
    peer.flush()
    const back: Uint8Array[] = []
    await until('frames at the driver', () => {
      back.push(...driver.receive().filter(isOurs))
      return back.length === 64
    })
    expect(Buffer.concat(back).equals(Buffer.concat(sent))).toBe(true)
    expect(await started.metric(TX)).toBe(64)
    expect(await started.end('SIGTERM')).toBe(0)
    expect(linkInfo(interfaceIndex('vdxskA')).xdp.mode).toBe('none')
  })

  test('af-xdp over two threads: the pair that a driver has gets the frames of both queues, driver after driver', async () => {
    const two = ['numtxqueues', '2', 'numrxqueues', '2']
    ip('link', 'add', 'vdtwoA', ...two, 'type', 'veth', 'peer', 'name', 'vdtwoB', ...two)
    keep({ close: () => ip('link', 'del', 'vdtwoA') })
    for (const name of ['vdtwoA', 'vdtwoB']) ip('link', 'set', name, 'up')
    const sockets = keep(AfXdpSockets.open(keep(AfXdpInterface.open({ name: 'vdtwoB' })).queues))
    const peers = sockets.handles.map((handle) => keep(new AfXdpQueue(handle)))
    const started = await serve(['--backend', 'af-xdp:vdtwoA:0', '--queues', '2', '--threads', '2'])
    const sent = frames(40)
    const batch = new FrameBatch(HEADER, memoryView(new ArrayBuffer(64 * SLOT)))
    for (const [i, frame] of sent.entries()) {
      batch.offset[i] = i * SLOT
      batch.length[i] = HEADER + frame.length
      batch.view.u8.set(frame, i * SLOT + HEADER)
    }
    batch.count = sent.length
    for (const pair of [1, 0, 1]) {
      const driver = new TestDriver(socket, pair)
      const enabled = `vring_queue_enabled{queue="${2 * pair}"}`
      await until('a ring that receives', async () => (await started.metric(enabled)) === 1)
      const back: Uint8Array[] = []
      for (const [queue, peer] of peers.entries()) {
        expect(peer.transmit(batch)).toBe(40)
        peer.flush()
        // One after the other: of two queues there is no order.
        await until('frames at the driver', () => {
          back.push(...driver.receive().filter(isOurs))
          return back.length === 40 * (queue + 1)
        })
      }
      expect(Buffer.concat(back).equals(Buffer.concat([...sent, ...sent]))).toBe(true)
      // What it sends leaves by the queue of its own pair.
      driver.send(sent)
      let arrived = 0
      await until('frames at the peer', () => {
        const { count, offset, view } = peers[pair]!.receive()
        for (let i = 0; i < count; i++)
          if (view.u8[offset[i]! + HEADER + 12] === 0x88 && view.u8[offset[i]! + HEADER + 13] === 0xb5) arrived++
        peers[pair]!.consume(count)
        return arrived === 40
      })
      driver.close()
      await until('the end of the session', async () => (await started.metric('vring_connected')) === 0)
    }
    for (const pair of [0, 1])
      expect(await started.metric(`vring_packets_total{pair="${pair}",direction="tx"}`)).toBe(pair === 0 ? 40 : 80)
    expect(await started.end('SIGTERM')).toBe(0)
    expect(linkInfo(interfaceIndex('vdtwoA')).xdp.mode).toBe('none')
  })

  test('af-xdp over a link that is slower than the driver: the daemon sleeps, and every frame leaves', async () => {
    // A bridge to a port that lets 2500 frames a second pass: those that wait hold on to the socket's memory.
    ip('link', 'add', 'vdslowA', 'type', 'veth', 'peer', 'name', 'vdslowB')
    ip('link', 'add', 'vdslowC', 'type', 'veth', 'peer', 'name', 'vdslowD')
    ip('link', 'add', 'vdslow', 'type', 'bridge', 'mcast_snooping', '0')
    keep({ close: () => ['vdslow', 'vdslowA', 'vdslowC'].forEach((name) => void ip('link', 'del', name)) })
    for (const name of ['vdslow', 'vdslowA', 'vdslowB', 'vdslowC', 'vdslowD']) {
      spawnSync('sysctl', ['-qw', `net.ipv6.conf.${name}.disable_ipv6=1`])
      ip('link', 'set', name, 'up')
    }
    for (const name of ['vdslowB', 'vdslowC']) ip('link', 'set', name, 'master', 'vdslow')
    const shape = 'qdisc add dev vdslowC root tbf rate 1200kbit burst 4k limit 10mb'
    expect(spawnSync('tc', shape.split(' ')).status).toBe(0)
    const arrived = (): number => linkInfo(interfaceIndex('vdslowD')).stats.rxPackets

    const started = await serve(['--backend', 'af-xdp:vdslowA:0'])
    const driver = keep(new TestDriver(socket))
    const [frame] = frames(1, 60)
    // To one station: of broadcast frames the bridge forwards copies, which hold on to nothing.
    frame![0] = 2
    driver.send([frame!])
    const flood = async (ms: number): Promise<void> => {
      for (const end = performance.now() + ms; performance.now() < end; ) {
        driver.flood()
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    }
    await flood(500)
    const cpu = 'process_cpu_seconds_total'
    const [wall, used, before] = [performance.now(), await started.metric(cpu), driver.flooded]
    await flood(2000)
    // Held back: the driver has frames all the time.
    expect(driver.flooded - before).toBeLessThan(15_000)
    expect(driver.flooded - before).toBeGreaterThan(1500)
    console.log(
      driver.flooded - before,
      (await started.metric(cpu)) - used,
      await started.metric('vring_wakeups_total'),
    )
    const share = ((await started.metric(cpu)) - used) / ((performance.now() - wall) / 1000)
    expect(share).toBeLessThan(0.5)
    let taken = -1
    await until('the rest', async () => {
      const last = taken
      taken = await started.metric(TX)
      await new Promise((resolve) => setTimeout(resolve, 100))
      return taken === last && arrived() >= taken
    })
    expect(arrived()).toBe(taken)
    expect(await started.end('SIGTERM')).toBe(0)
  })

  test('a capture on a disk that is full keeps its whole blocks; later frames are counted as ENOSPC and drivers go on', async () => {
    const disk = join(folder, 'disk')
    mkdirSync(disk)
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'vring-test', disk]).status).toBe(0)
    keep({ close: () => expect(spawnSync('umount', [disk]).status).toBe(0) })
    const path = join(disk, 'out.pcapng')
    const started = await serve(['--backend', `pcap:${path}`])
    const driver = keep(new TestDriver(socket))
    let total = 0
    for (const count of [20, 100, 100]) {
      driver.send(frames(count, 1000))
      total += count
      await until('the count', async () => (await started.metric(TX)) === total)
      // Written out when the worker sleeps.
      await until('the file', async () => count !== 20 || readFileSync(path).length > 20_000)
    }
    await until('the loss', async () => (await started.metric(dropped('ENOSPC'))) === 200)
    expect(await started.metric('vring_queues_broken')).toBe(0)
    expect(await started.end('SIGTERM')).toBe(0)
    const { packets, truncatedAt } = readCapture(new Uint8Array(readFileSync(path)))
    expect(truncatedAt).toBeNull()
    expect(packets.length).toBe(20)
  })

  const without = (capability: string): DaemonProcessOptions => ({
    by: ['setpriv', '--bounding-set', `-${capability}`],
  })
  test.each<[string, string[], number, RegExp, DaemonProcessOptions?]>([
    ['a tap that is no tap', ['tap:lo'], 2, /--backend tap:lo: .*EINVAL.*no TAP/],
    ['a tap in use', ['tap:vdbusy'], 75, /--backend tap:vdbusy: .*EBUSY.*in use/],
    [
      'a tap without permission',
      ['tap:vdperm'],
      4,
      /--backend tap:vdperm: .*EPERM.*CAP_NET_ADMIN/,
      without('net_admin'),
    ],
    ['an interface that is missing', ['af-xdp:vdnone'], 4, /--backend af-xdp:vdnone:0: .*ENODEV.*no such device/],
    [
      'af-xdp without permission',
      ['af-xdp:vdveth'],
      4,
      /--backend af-xdp:vdveth:0: socket: EPERM.*CAP_NET_RAW for af-xdp/,
      without('net_raw'),
    ],
    ['a queue that is not there', ['af-xdp:lo:7'], 2, /--backend af-xdp:lo:7: queue is 7; accepted: 0/],
    [
      'a program that the kernel refuses',
      ['tap:vdwild', '--xdp', 'wild.o'],
      2,
      /--xdp .*wild\.o: .*XDP program \w+ at instruction 48: .*(stack|R10)/,
    ],
    [
      'a program that verification in process refuses',
      ['drop', '--xdp', 'wild.o'],
      2,
      /--xdp .*wild\.o: instruction 48 .*stack/,
    ],
    ['a program that is no object', ['tap:vdelf', '--xdp', 'text.o'], 2, /--xdp .*text\.o: .*ELF/],
  ])('%s is one line and an exit code', async (name, [backend, ...args], code, line, options) => {
    writeFileSync(join(folder, 'wild.o'), wildObject())
    writeFileSync(join(folder, 'text.o'), 'no object')
    if (backend!.endsWith('vdveth')) {
      ip('link', 'add', 'vdveth', 'type', 'veth', 'peer', 'name', 'vdpeer')
      keep({ close: () => ip('link', 'del', 'vdveth') })
    }
    if (name === 'a tap in use') {
      const { fd } = openTunQueue({ name: 'vdbusy' })
      keep({ close: () => closeFd(fd) })
    }
    const paths = args.map((arg) => (arg.endsWith('.o') ? join(folder, arg) : arg))
    const started = run(['--backend', backend!, ...paths], options)
    expect([await started.exit(), started.output]).toEqual([code, expect.stringMatching(line)])
    expect(started.output.trim().split('\n')).toHaveLength(1)
  })
})
