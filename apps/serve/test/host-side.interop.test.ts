import { spawn, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deleteLink, interfaceIndex, linkInfo, linkOffload, unshareNetwork, unsupportedHost } from '@vring/linux'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { DaemonProcess, type DaemonProcessOptions, until } from './daemon-process.ts'
import { TestDriver } from './test-driver.ts'
import { TestReceiver } from './test-receiver.ts'

const isRoot = process.getuid?.() === 0
const reason = unsupportedHost() ?? (isRoot ? null : 'needs root')
const GUEST_MAC = '02:00:00:00:00:02'

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
}

/** One datagram of each of `count` flows from the host's stack. */
async function flows(count: number, mark: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const socket = createSocket('udp4')
    await new Promise((resolve) => socket.send(Uint8Array.of(mark), 20_000 + i, '192.0.2.2', resolve))
    socket.close()
  }
}

/** The mark of a datagram of {@link flows}, or null: another frame. */
function markOf(frame: Uint8Array): number | null {
  const isUdp = frame[12] === 8 && frame[13] === 0 && frame[23] === 17
  return isUdp && frame[36]! * 256 + frame[37]! >= 20_000 ? frame[42]! : null
}

describe.skipIf(reason !== null)(
  `the host side of vring-serve${reason === null ? '' : ` (skipped: ${reason})`}`,
  () => {
    let folder: string
    let socket: string
    let daemon: DaemonProcess | undefined
    const closing: { close(): void }[] = []
    beforeAll(() => {
      unshareNetwork()
      ip('link', 'set', 'lo', 'up')
    })
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'vring-host-'))
      socket = join(folder, 'vring.sock')
    })
    afterEach(async () => {
      for (const one of closing.splice(0).reverse()) one.close()
      if (daemon !== undefined && daemon.child.exitCode === null) await daemon.end('SIGKILL')
      daemon = undefined
      rmSync(folder, { recursive: true })
    })
    async function serve(args: readonly string[], options: DaemonProcessOptions = {}): Promise<DaemonProcess> {
      daemon = new DaemonProcess(['--socket', socket, '--metrics', '127.0.0.1:0', ...args], {
        from: 'built',
        ...options,
      })
      await daemon.ready()
      return daemon
    }
    /** Gives the device an address, and the guest's a neighbour. */
    function address(name: string): void {
      ip('addr', 'add', '192.0.2.1/24', 'dev', name)
      ip('neigh', 'add', '192.0.2.2', 'lladdr', GUEST_MAC, 'dev', name)
    }
    const carrier = (name: string): boolean => linkInfo(interfaceIndex(name)).carrier

    test('a tap of 4 queues: all flows reach a driver that uses 1, 2 or 4 pairs, and nothing of one driver reaches the next', async () => {
      await serve(['--backend', 'tap:vhmq', '--queues', '4'])
      address('vhmq')
      expect(carrier('vhmq')).toBe(false)
      await flows(50, 99)
      for (const pairs of [1, 2, 4]) {
        const driver = new TestDriver(socket)
        const more = Array.from({ length: pairs - 1 }, (_, i) => new TestReceiver(driver, i + 1))
        await until('the carrier', () => carrier('vhmq'))
        // What is sent in the moment after finds the qdisc still without it.
        await new Promise((resolve) => setTimeout(resolve, 100))
        const marks: (number | null)[] = []
        const collect = (): void => {
          for (const one of [driver, ...more]) marks.push(...one.receive().map(markOf))
        }
        for (let sent = 0; sent < 400; sent += 100) {
          await flows(100, pairs)
          await until('flows', () => {
            collect()
            return marks.filter((mark) => mark === pairs).length >= sent + 100
          })
        }
        expect(marks.filter((mark) => mark !== null && mark !== pairs)).toEqual([])
        // These wait, unread: they are for this driver.
        await flows(100, pairs)
        driver.close()
        await until('no carrier', () => !carrier('vhmq'))
      }
    })

    test('1000 changes of driver under load: no frame of one reaches the next', { timeout: 120_000 }, async () => {
      const serving = await serve(['--backend', 'tap:vhone'])
      address('vhone')
      const sender = createSocket('udp4')
      let strangers = 0
      let received = 0
      for (let change = 0; change < 1000; change++) {
        const driver = new TestDriver(socket)
        const mark = change & 0xff
        for (const end = performance.now() + 1000; performance.now() < end; ) {
          for (let i = 0; i < 20; i++) sender.send(Uint8Array.of(mark), 20_000 + i, '192.0.2.2')
          await new Promise((resolve) => setImmediate(resolve))
          const marks = driver.receive().map(markOf)
          strangers += marks.filter((one) => one !== null && one !== mark).length
          const own = marks.filter((one) => one === mark).length
          received += own
          if (own > 0) break
        }
        driver.close()
      }
      sender.close()
      expect([strangers, received > 500]).toEqual([0, true])
      await until('the end of the last session', async () => (await serving.metric('vring_connected')) === 0)
      expect(await serving.metric('vring_sessions_total')).toBe(1000)
    })

    test('link down, another MTU, renaming, another namespace and deletion each say so, and are followed', async () => {
      const serving = await serve(['--backend', 'tap:vhlink'])
      const driver = new TestDriver(socket)
      closing.push(driver)
      const dropped = (why: string) => `vring_dropped_packets_total{pair="0",direction="tx",reason="${why}"}`
      const long = new Uint8Array(1600).fill(0xff)
      driver.send([long])
      await until('oversize', async () => (await serving.metric(dropped('oversize'))) === 1)
      ip('link', 'set', 'vhlink', 'mtu', '2000')
      await serving.says(/vhlink has MTU 2000/)
      driver.send([long])
      await until('the frame', () => linkInfo(interfaceIndex('vhlink')).stats.rxPackets === 1)
      ip('link', 'set', 'vhlink', 'down')
      await serving.says(/vhlink is down: its frames are dropped and counted as down/)
      driver.send([long])
      await until('down', async () => (await serving.metric(dropped('down'))) === 1)
      expect(await serving.metric('vring_link_up{interface="vhlink"}')).toBe(0)
      ip('link', 'set', 'vhlink', 'name', 'vhother')
      await serving.says(/vhlink was renamed to vhother/)
      ip('link', 'set', 'vhother', 'up')
      await serving.says(/vhother is up/)
      deleteLink(interfaceIndex('vhother'))
      await serving.says(/vhother was deleted: its frames are dropped and counted as gone/)
      expect(serving.output.match(/was deleted/g)).toHaveLength(1)
      expect(await serving.metric('vring_link_up{interface="vhother"}')).toBe(0)
      expect(await serving.end('SIGTERM')).toBe(0)
    })

    test('a prepared tap is opened without any privilege; one of another user, or with other flags, is named', async () => {
      ip('tuntap', 'add', 'dev', 'vhroot', 'mode', 'tap', 'vnet_hdr', 'user', '65534')
      closing.push({ close: () => ip('tuntap', 'del', 'dev', 'vhroot', 'mode', 'tap') })
      ip('link', 'set', 'vhroot', 'up')
      const unprivileged = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
      spawnSync('chown', ['65534', folder])
      const serving = await serve(['--backend', 'tap:vhroot'], { by: unprivileged })
      closing.push(new TestDriver(socket))
      await until('the carrier', () => carrier('vhroot'))
      expect(await serving.end('SIGTERM')).toBe(0)
      const refused = async (...args: string[]): Promise<string> => {
        const one = new DaemonProcess(['--socket', socket, ...args], { from: 'built', by: unprivileged })
        expect(await one.exit()).not.toBe(0)
        return one.output
      }
      expect(await refused('--backend', 'tap:vhroot', '--queues', '2')).toMatch(
        /made without IFF_MULTI_QUEUE \(multi_queue\)/,
      )
      ip('tuntap', 'add', 'dev', 'vhtwo', 'mode', 'tap', 'multi_queue', 'user', '1')
      closing.push({ close: () => ip('tuntap', 'del', 'dev', 'vhtwo', 'mode', 'tap', 'multi_queue') })
      expect(await refused('--backend', 'tap:vhtwo')).toMatch(
        /made with IFF_MULTI_QUEUE \(multi_queue\)|prepared for user 1, and this process is user 65534/,
      )
      expect(await refused('--backend', 'tap:vhnew')).toMatch(/making an interface needs CAP_NET_ADMIN/)
    })

    test('af-xdp: a pair takes the frames of pairs that do not receive, and frames without a driver are dropped', async () => {
      ip(
        'link',
        'add',
        'vhxA',
        'numrxqueues',
        '4',
        'numtxqueues',
        '4',
        'type',
        'veth',
        'peer',
        'name',
        'vhxB',
        'numtxqueues',
        '4',
        'numrxqueues',
        '4',
      )
      closing.push({ close: () => ip('link', 'del', 'vhxA') })
      for (const name of ['vhxA', 'vhxB']) ip('link', 'set', name, 'up')
      const serving = await serve(['--backend', 'af-xdp:vhxA', '--queues', '4'])
      address('vhxB')
      await flows(100, 99)
      for (const pairs of [1, 3]) {
        const driver = new TestDriver(socket)
        const more = Array.from({ length: pairs - 1 }, (_, i) => new TestReceiver(driver, i + 1))
        const marks: (number | null)[] = []
        await until('rings', async () => (await serving.metric('vring_queues')) === 1 + pairs)
        for (let sent = 0; sent < 400; sent += 100) {
          await flows(100, pairs)
          await until('flows', () => {
            for (const one of [driver, ...more]) marks.push(...one.receive().map(markOf))
            return marks.filter((mark) => mark === pairs).length >= sent + 100
          })
        }
        expect(marks.filter((mark) => mark !== null && mark !== pairs)).toEqual([])
        driver.close()
        await until('the end of the session', async () => (await serving.metric('vring_connected')) === 0)
      }
      expect(await serving.end('SIGTERM')).toBe(0)
    })

    test('af-xdp: the daemon says which limit it met, and which offload hides VLAN tags, and switches that off where it is asked for', async () => {
      ip('link', 'add', 'vhvA', 'type', 'veth', 'peer', 'name', 'vhvB')
      closing.push({ close: () => ip('link', 'del', 'vhvA') })
      for (const name of ['vhvA', 'vhvB']) ip('link', 'set', name, 'up')
      expect(linkOffload('vhvB', 'txvlan')).toBe(true)
      const few = ['prlimit', '--memlock=65536', 'setpriv', '--bounding-set', '-ipc_lock', '--inh-caps', '-ipc_lock']
      daemon = new DaemonProcess(['--socket', socket, '--backend', 'af-xdp:vhvA'], { from: 'built', by: few })
      expect(await daemon.exit()).toBe(4)
      expect(daemon.output).toMatch(/: ENOBUFS \(.*UMEM of \d+ bytes, counted as locked memory \(RLIMIT_MEMLOCK\)/)
      const hiding = await serve(['--backend', 'af-xdp:vhvA'])
      expect(await hiding.metric('vring_link_program_attached{interface="vhvA"}')).toBe(1)
      await hiding.says(
        /vhvB: txvlan is on: frames arrive without their VLAN tag; ethtool -K vhvB txvlan off, or --fix-offl/,
      )
      expect(await hiding.end('SIGTERM')).toBe(0)
      const showing = await serve(['--backend', 'af-xdp:vhvA', '--fix-offloads'])
      await showing.says(/vhvB: txvlan is off now/)
      expect(linkOffload('vhvB', 'txvlan')).toBe(false)
      expect(await showing.end('SIGTERM')).toBe(0)
    })

    const noTestpmd = spawnSync('dpdk-testpmd', ['--version']).error !== undefined
    test.skipIf(noTestpmd)(
      'af-xdp: TCP flows both ways between the host and a guest on a veth, with no ethtool (needs dpdk-testpmd)',
      { timeout: 90_000 },
      async () => {
        ip('link', 'add', 'vhtA', 'type', 'veth', 'peer', 'name', 'vhtB')
        closing.push({ close: () => ip('link', 'del', 'vhtA') })
        for (const name of ['vhtA', 'vhtB']) ip('link', 'set', name, 'up')
        const serving = await serve(['--backend', 'af-xdp:vhtA'])
        // The guest is a network namespace: testpmd carries frames between virtio_user and a tap that is moved there.
        const guest = `vhguest${process.pid}`
        ip('netns', 'add', guest)
        closing.push({ close: () => ip('netns', 'del', guest) })
        const eal = ['--no-pci', '--no-huge', '-m', '256', '--lcores', '0,1@0', `--file-prefix=${guest}`]
        const ports = [
          '--vdev',
          `net_virtio_user0,path=${socket},queues=1,queue_size=256`,
          '--vdev',
          'net_tap0,iface=vhtap',
        ]
        const forwarding = ['--forward-mode=io', '--total-num-mbufs=8192', '--nb-cores=1', '--stats-period', '5']
        const testpmd = spawn('dpdk-testpmd', [...eal, ...ports, '--', ...forwarding], { stdio: 'ignore' })
        closing.push({ close: () => testpmd.kill('SIGKILL') })
        // testpmd sets the tap up by its name, in its own namespace.
        await serving.says(/the driver runs 2 rings/)
        await until('the tap', () => spawnSync('ip', ['link', 'set', 'vhtap', 'netns', guest]).status === 0)
        ip('-n', guest, 'link', 'set', 'vhtap', 'up')
        ip('-n', guest, 'addr', 'add', '192.0.2.2/24', 'dev', 'vhtap')
        ip('addr', 'add', '192.0.2.1/24', 'dev', 'vhtB')
        const BYTES = 2_000_000
        const echo =
          "require('net').createServer((s) => s.pipe(s)).listen(5555, '192.0.2.2', () => console.log('ready'))"
        const server = spawn('ip', ['netns', 'exec', guest, process.execPath, '-e', echo])
        closing.push({ close: () => server.kill('SIGKILL') })
        await once(server.stdout, 'data')
        const connection = connect(5555, '192.0.2.2')
        await once(connection, 'connect')
        let back = 0
        connection.on('data', (bytes: Buffer) => {
          back += bytes.length
        })
        connection.end(Buffer.alloc(BYTES, 'x'))
        await until('all of it', () => back === BYTES, 30_000)
        connection.destroy()
      },
    )
  },
)
