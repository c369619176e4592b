import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CaptureFile, PcapBackend, readCapture } from '@vring/backend-pcap'
import {
  featureNames,
  featureSet,
  VIRTIO_ID_NET,
  VIRTIO_NET_F_CTRL_VQ,
  VIRTIO_NET_F_GUEST_ANNOUNCE,
  VIRTIO_NET_F_MQ,
} from '@vring/layout'
import { clockNs, UnixListener, UnixSocket, unsupportedHost } from '@vring/linux'
import { memoryView } from '@vring/memory'
import { FrameBatch } from '@vring/vhost-net'
import { VhostUserFrontend } from '@vring/vhost-user'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { DaemonProcess, until } from './daemon-process.ts'
import { TestDriver } from './test-driver.ts'
import { TestReceiver } from './test-receiver.ts'

const reason = unsupportedHost()
const METRICS = ['--metrics', '127.0.0.1:0']

/** Frames of different lengths whose bytes say which they are. */
function frames(count: number, mark = 0): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => new Uint8Array(60 + ((i * 37) % 1400)).fill((mark + i) & 0xff))
}

describe.skipIf(reason !== null)(`vring-serve${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  let daemon: DaemonProcess | undefined
  let socket: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-serve-'))
    socket = join(folder, 'vring.sock')
  })
  afterEach(async () => {
    if (daemon !== undefined && daemon.child.exitCode === null) await daemon.end('SIGKILL')
    daemon = undefined
    for (const name of readdirSync(folder)) rmSync(join(folder, name))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  async function start(...args: string[]): Promise<DaemonProcess> {
    daemon = new DaemonProcess(['--socket', socket, ...args])
    await daemon.ready()
    return daemon
  }

  test('offers GUEST_ANNOUNCE with --announce, and never without CTRL_VQ: one pair, then two', async () => {
    const bits = featureSet(VIRTIO_NET_F_CTRL_VQ, VIRTIO_NET_F_MQ, VIRTIO_NET_F_GUEST_ANNOUNCE)
    const offered = async (...args: string[]): Promise<string> => {
      const serve = await start('--backend', 'drop', ...args)
      const frontend = new VhostUserFrontend({ transport: UnixSocket.connect(socket) })
      const features = frontend.call('GET_FEATURES', null)
      frontend.close()
      await serve.end('SIGTERM')
      return featureNames(features & bits, VIRTIO_ID_NET)
    }
    expect(await offered()).toBe('none')
    expect(await offered('--announce')).toBe('VIRTIO_NET_F_CTRL_VQ (17), VIRTIO_NET_F_GUEST_ANNOUNCE (21)')
    expect(await offered('--announce', '--queues', '2')).toBe(
      'VIRTIO_NET_F_CTRL_VQ (17), VIRTIO_NET_F_GUEST_ANNOUNCE (21), VIRTIO_NET_F_MQ (22)',
    )
  })

  test('serves the backend of a plugin, given the text after its name, and names one whose create gives none', async () => {
    const plugin = (create: string): string => {
      const file = join(folder, 'plugin.mjs')
      writeFileSync(
        file,
        `export default { [Symbol.for('vring.backend-plugin')]: true, name: 'theirs', apiVersion: 1, description: 'theirs', argument: 'TEXT',
          supports: { inPlace: true, xdp: false, privileged: false, receives: false }, ${create} }`,
      )
      return file
    }
    const counting = plugin(`create(text) {
      const counters = { txFrames: 0, txBytes: 0, txDropped: {} }
      return { name: 'theirs-' + text, counters, flush() {}, close() {}, transmit({ count }) { counters.txFrames += count; return count } }
    }`)
    const serve = await start('--plugin', counting, '--backend', 'theirs:here', ...METRICS)
    const driver = new TestDriver(socket)
    driver.send(frames(50))
    await until('used', () => driver.sent() === 50)
    expect(await serve.metric('vring_packets_total{pair="0",direction="tx"}')).toBe(50)
    await serve.end('SIGTERM')
    const broken = new DaemonProcess([
      '--socket',
      socket,
      '--plugin',
      plugin('create: async () => ({})'),
      '--backend',
      'theirs',
    ])
    expect(await broken.exit()).toBe(2)
    expect(broken.output).toContain('create() is a promise')
  })

  test('gives every frame back over loopback, counts it, and leaves nothing after SIGTERM', async () => {
    const serve = await start('--backend', 'loopback', '--accessor', 'vmap-direct', ...METRICS)
    const driver = new TestDriver(socket)
    // The worker goes to sleep: a kick wakes it.
    await new Promise((resolve) => setTimeout(resolve, 100))
    const sent = frames(200)
    driver.send(sent)
    const back: Uint8Array[] = []
    await until('frames', () => back.push(...driver.receive()) >= sent.length)
    expect(Buffer.concat(back).equals(Buffer.concat(sent))).toBe(true)
    expect(driver.sent()).toBe(200)
    const bytes = sent.reduce((sum, frame) => sum + frame.length, 0)
    for (const direction of ['tx', 'rx']) {
      expect(await serve.metric(`vring_packets_total{pair="0",direction="${direction}"}`)).toBe(200)
      expect(await serve.metric(`vring_bytes_total{pair="0",direction="${direction}"}`)).toBe(bytes)
    }
    expect(await serve.metric('vring_ring_accesses_total{area="desc",mode="direct"}')).toBeGreaterThanOrEqual(400)
    expect(await serve.metric('vring_connected')).toBe(1)
    expect(await serve.metric('vring_wake_to_backend_seconds_count')).toBeGreaterThan(0)
    const [, url] = await serve.says(/metrics on (\S+)/)
    const page = await fetch(url!)
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('serving a driver')])
    expect((await fetch(`${url}nothing`)).status).toBe(404)
    expect((await fetch(url!, { method: 'POST' })).status).toBe(405)
    expect(await serve.end('SIGTERM')).toBe(0)
    expect(existsSync(socket)).toBe(false)
    expect(serve.output).toContain('stopped; 1 session, 200 frames from drivers, 200 to drivers')
    driver.close()
  })

  test('outlives drivers that hang up, talk nonsense or break their rings, and its counts do too', async () => {
    const serve = await start('--backend', 'drop', '--xdp', 'xdp1', ...METRICS)
    const first = new TestDriver(socket)
    first.send(frames(100))
    await until('frames', () => first.sent() === 100)
    first.close()
    await serve.says(/the driver hung up/)
    const nonsense = UnixSocket.connect(socket)
    nonsense.send(new Uint8Array(12))
    await serve.says(/session ended: .*version/)
    nonsense.close()
    const second = new TestDriver(socket)
    second.send(frames(50))
    await until('frames', () => second.sent() === 50)
    second.breakSender()
    await until('a broken queue', async () => (await serve.metric('vring_queues_broken')) === 1)
    second.close()
    await until('the end of the session', async () => (await serve.metric('vring_connected')) === 0)
    expect(await serve.metric('vring_packets_total{pair="0",direction="tx"}')).toBe(150)
    expect(await serve.metric('vring_xdp_packets_total{verdict="drop"}')).toBe(150)
    expect(await serve.metric('vring_queues_broken')).toBe(0)
    expect(await serve.metric('vring_broken_queues_total{reason="avail-idx-jump"}')).toBe(1)
    expect(await serve.metric('vring_sessions_total')).toBe(3)
    expect(await serve.end('SIGINT')).toBe(0)
  })

  test('connects to a driver that listens, as soon as it does', async () => {
    const serve = await start('--client', '--backend', 'drop')
    const listener = UnixListener.listen(socket)
    await serve.says(/a driver connected/)
    listener.close()
    expect(await serve.end('SIGTERM')).toBe(0)
  })

  test('captures to pcapng what a driver sends', async () => {
    const path = join(folder, 'out.pcapng')
    const config = join(folder, 'config.json')
    writeFileSync(config, JSON.stringify({ backend: `pcap:${path}` }))
    const serve = await start('--config', config)
    const driver = new TestDriver(socket)
    const sent = frames(20)
    driver.send(sent)
    await until('frames', () => driver.sent() === 20)
    // Written out when the worker sleeps, not only at the end.
    await until('packets', () => readCapture(new Uint8Array(readFileSync(path))).packets.length === 20)
    driver.close()
    expect(await serve.end('SIGTERM')).toBe(0)
    const packets = readCapture(new Uint8Array(readFileSync(path))).packets
    expect(Buffer.concat(packets.map(({ bytes }) => bytes)).equals(Buffer.concat(sent))).toBe(true)
  })

  test('captures beside any backend, both directions, without taking a frame from it', async () => {
    const path = join(folder, 'beside.pcapng')
    const serve = await start('--backend', 'loopback', '--capture', path, ...METRICS)
    const driver = new TestDriver(socket)
    const sent = frames(50)
    driver.send(sent)
    const back: Uint8Array[] = []
    await until('frames', () => back.push(...driver.receive()) >= sent.length)
    expect(Buffer.concat(back).equals(Buffer.concat(sent))).toBe(true)
    driver.close()
    await serve.says(/the driver hung up/)
    expect(await serve.metric(`vring_capture_frames_total{file="${path}"}`)).toBe(100)
    expect(await serve.end('SIGTERM')).toBe(0)
    const { interfaces, packets } = readCapture(new Uint8Array(readFileSync(path)))
    expect(interfaces.map(({ name }) => name)).toEqual(['tx-0', 'rx-0'])
    for (const direction of [0, 1]) {
      const bytes = packets.filter(({ interfaceId }) => interfaceId === direction).map((packet) => packet.bytes)
      expect(Buffer.concat(bytes).equals(Buffer.concat(sent))).toBe(true)
    }
  })

  test.each([
    ['with the gaps of the capture', []],
    ['as fast as the driver takes frames', ['--pace', 'asap']],
  ])('replays a capture to its driver, %s', async (_, pace) => {
    const path = join(folder, 'in.pcapng')
    let now = 0
    const file = new CaptureFile(path, { nowMs: () => now })
    const backend = new PcapBackend(file)
    const recorded = frames(20)
    for (const frame of recorded) {
      const batch = new FrameBatch(12, memoryView(new ArrayBuffer(2048)))
      batch.view.u8.set(frame, 12)
      batch.length[0] = 12 + frame.length
      batch.count = 1
      backend.transmit(batch)
      now += 20
    }
    file.close()
    const serve = await start('--backend', `replay:${path}`, ...pace, ...METRICS)
    expect(serve.output).toContain(
      `replaying ${path}: pace ${pace.length === 0 ? 'recorded, gaps of at most 10 s' : 'as fast'}`,
    )
    const begin = performance.now()
    const driver = new TestDriver(socket)
    const got: Uint8Array[] = []
    await until('frames', () => got.push(...driver.receive()) >= 20)
    if (pace.length === 0) expect(performance.now() - begin).toBeGreaterThan(19 * 20 - 5)
    expect(Buffer.concat(got).equals(Buffer.concat(recorded))).toBe(true)
    await serve.says(/in\.pcapng: 20 frames/)
    driver.send(frames(5))
    await until('the count', async () => (await serve.metric('vring_packets_total{pair="0",direction="tx"}')) === 5)
    expect(await serve.metric('vring_packets_total{pair="0",direction="rx"}')).toBe(20)
    driver.close()
    expect(await serve.end('SIGTERM')).toBe(0)
  })

  test('replays to pairs of two threads, the frames of interface i to pair i', async () => {
    const path = join(folder, 'two.pcapng')
    const file = new CaptureFile(path)
    const backends = [0, 1].map((pair) => new PcapBackend(file, { interfaceName: `tx-${pair}` }))
    const recorded = frames(20)
    for (const [i, frame] of recorded.entries()) {
      const batch = new FrameBatch(12, memoryView(new ArrayBuffer(2048)))
      batch.view.u8.set(frame, 12)
      batch.length[0] = 12 + frame.length
      batch.count = 1
      backends[i % 2]!.transmit(batch)
    }
    file.close()
    const serve = await start('--backend', `replay:${path}`, '--queues', '2', '--threads', '2', ...METRICS)
    const driver = new TestDriver(socket)
    const second = new TestReceiver(driver, 1)
    const got: [Uint8Array[], Uint8Array[]] = [[], []]
    await until('frames', () => got[0].push(...driver.receive()) + got[1].push(...second.receive()) >= 20)
    for (const pair of [0, 1] as const)
      expect(Buffer.concat(got[pair]).equals(Buffer.concat(recorded.filter((_, i) => i % 2 === pair)))).toBe(true)
    // Every thread reads the whole file: it is told once.
    await serve.says(/two\.pcapng: 20 frames/)
    expect(serve.output.match(/two\.pcapng: 20 frames/g)).toHaveLength(1)
    driver.close()
    expect(await serve.end('SIGTERM')).toBe(0)
  })

  test('serves with an accessor of another package, and counts what the program counts', async () => {
    const plugin = new URL('../../../packages/accessor-template/src/index.ts', import.meta.url).href
    const chosen = ['--plugin', plugin, '--accessor', 'template']
    const serve = await start('--backend', 'drop', '--xdp', 'xdp1', ...chosen, ...METRICS)
    expect(serve.output).toContain('accessor template')
    const driver = new TestDriver(socket)
    const udp = frames(30)
    for (const frame of udp) {
      frame.set([0x08, 0x00, 0x45], 12)
      frame[14 + 9] = 17
    }
    driver.send(udp)
    await until('frames', () => driver.sent() === 30)
    expect(await serve.metric('vring_xdp_program_packets_total{counter="rxcnt[17]"}')).toBe(30)
    driver.close()
    expect(await serve.end('SIGTERM')).toBe(0)
  })

  test('runs one program of an object, tells its counters by name, and logs what it prints at debug level', async () => {
    const object = fileURLToPath(new URL('../../../packages/xdp/fixtures/counters.v3.o', import.meta.url))
    const serve = await start('--backend', 'drop', '--xdp', `${object}:count`, '--log-level', 'debug', ...METRICS)
    const driver = new TestDriver(socket)
    driver.send(frames(3).map((frame) => frame.subarray(0, 60)))
    await until('frames', () => driver.sent() === 3)
    await serve.says(/debug: bpf_printk: short: 60/)
    expect(await serve.metric('vring_xdp_program_packets_total{counter="seen"}')).toBe(3)
    expect(await serve.metric('vring_xdp_program_packets_total{counter="totals[0].bytes"}')).toBe(180)
    expect(await serve.metric('vring_xdp_program_packets_total{counter="other.short_frames.frames"}')).toBe(3)
    driver.close()
    expect(await serve.end('SIGTERM')).toBe(0)
  })

  test('sleeps while its driver is silent', async () => {
    const serve = await start('--backend', 'loopback', ...METRICS)
    const driver = new TestDriver(socket)
    driver.send(frames(1))
    await until('the frame', () => driver.receive().length === 1)
    const cpu = 'process_cpu_seconds_total'
    await serve.metric(cpu)
    const [wall, used] = [clockNs('monotonic'), await serve.metric(cpu)]
    await new Promise((resolve) => setTimeout(resolve, 3000))
    // The scrape itself is in it; a core for 3 s would be 3.
    expect((await serve.metric(cpu)) - used).toBeLessThan(0.1 * ((clockNs('monotonic') - wall) / 1e9))
    driver.close()
    expect(await serve.end('SIGTERM')).toBe(0)
  })

  test.each<[string, string[], number, RegExp]>([
    ['a socket that is in use', ['--backend', 'drop'], 75, /--socket: bind: EADDRINUSE.*in use/],
    ['a folder that is missing', ['--socket', '/nonexistent/a.sock', '--backend', 'drop'], 4, /--socket: bind: ENOENT/],
    ['a capture that is there', ['--backend', 'drop', '--capture', '/etc/hostname'], 2, /--capture: .*EEXIST \(a file/],
    ['a replay of a directory', ['--backend', 'replay:/etc'], 2, /--backend: \/etc: is no regular file/],
    ['a capture that can’t be made', ['--backend', 'pcap:/nonexistent/a'], 4, /--backend: capture file .*ENOENT/],
    ['a program that is missing', ['--backend', 'drop', '--xdp', '/nonexistent.o'], 4, /--xdp .*ENOENT/],
    ['a program that is no file', ['--backend', 'drop', '--xdp', '/dev/zero'], 2, /--xdp .*is no regular file/],
    ['an accessor that is unknown', ['--backend', 'drop', '--accessor', 'x'], 2, /--accessor: accessor "x" is unknown/],
  ])('ends with an exit code and one line for %s', async (name, args, code, line) => {
    const held = name.includes('in use') ? UnixListener.listen(socket) : null
    daemon = new DaemonProcess([...(args.includes('--socket') ? [] : ['--socket', socket]), ...args])
    expect(await daemon.exit()).toBe(code)
    expect(daemon.output).toMatch(line)
    expect(daemon.output.trim().split('\n')).toHaveLength(1)
    held?.close()
    expect(existsSync(socket)).toBe(false)
  })

  test('a program that verification refuses is named with its instruction', async () => {
    const path = join(folder, 'bad.o')
    writeFileSync(path, 'no object')
    daemon = new DaemonProcess(['--socket', socket, '--backend', 'drop', '--xdp', path])
    expect(await daemon.exit()).toBe(2)
    expect(daemon.output).toMatch(/ELF|object/)
  })
})
