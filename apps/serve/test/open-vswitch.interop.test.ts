import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { unshareNetwork, unsupportedHost } from '@vring/linux'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DaemonProcess, until } from './daemon-process.ts'

const VSWITCHD = '/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk'
const NR_HUGEPAGES = '/proc/sys/vm/nr_hugepages'
/** Of 2 MiB: what DPDK takes of them for a port of 256 entries, and some more. */
const HUGE_PAGES = 160
/** How long a command may take on a busy machine, ms. */
const LIMIT_MS = 90_000
const FRAMES = 20
const PORT = 7

const reason =
  unsupportedHost() ??
  (process.getuid?.() === 0 ? null : 'needs root') ??
  (existsSync(VSWITCHD) ? null : `${VSWITCHD} (Debian package openvswitch-switch-dpdk) is missing`) ??
  (/^Hugepagesize: +2048 kB$/m.test(readFileSync('/proc/meminfo', 'utf8')) ? null : 'no huge pages of 2 MiB')

describe.skipIf(reason !== null)(`Open vSwitch with DPDK${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  let environment: NodeJS.ProcessEnv
  let pages: string
  let daemon: DaemonProcess | null = null
  let children: ChildProcess[] = []

  beforeEach(() => {
    // Its bridge is an interface of this namespace.
    unshareNetwork()
    folder = mkdtempSync(join(tmpdir(), 'vring-ovs-'))
    const places = { OVS_RUNDIR: folder, OVS_DBDIR: folder, OVS_LOGDIR: folder, RUNTIME_DIRECTORY: folder }
    environment = { ...process.env, ...places }
    pages = readFileSync(NR_HUGEPAGES, 'utf8').trim()
    writeFileSync(NR_HUGEPAGES, String(Number(pages) + HUGE_PAGES))
  })
  afterEach(async () => {
    for (const child of children) {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null)
        await new Promise((resolve) => child.once('exit', resolve))
    }
    children = []
    if (daemon !== null && daemon.child.exitCode === null) await daemon.end('SIGKILL')
    daemon = null
    writeFileSync(NR_HUGEPAGES, pages)
    rmSync(folder, { recursive: true, force: true })
  })

  /** Ends with this process, however that ends. */
  function start(program: string, ...args: string[]): void {
    const command = ['--pdeathsig', 'KILL', program, ...args, '-vconsole:off']
    children.push(spawn('setpriv', command, { env: environment, stdio: 'ignore' }))
  }

  async function run(program: string, ...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(program, args, { env: environment, timeout: LIMIT_MS })
    return stdout
  }

  test('a port of its switch is driven by virtio_user: what it sends comes back by the same ring pair', {
    timeout: 3 * LIMIT_MS,
  }, async () => {
    await run('ip', 'link', 'set', 'lo', 'up')
    const socket = join(folder, 'vring.sock')
    const loopback = ['--socket', socket, '--backend', 'loopback', '--metrics', '127.0.0.1:0']
    daemon = new DaemonProcess(loopback, { from: 'built' })
    await daemon.ready()
    const database = join(folder, 'db.sock')
    await run('ovsdb-tool', 'create', join(folder, 'conf.db'), '/usr/share/openvswitch/vswitch.ovsschema')
    start('ovsdb-server', join(folder, 'conf.db'), `--remote=punix:${database}`, `--unixctl=${join(folder, 'db.ctl')}`)
    await until('the database', async () => existsSync(database))
    const vsctl = (...args: string[]): Promise<string> => run('ovs-vsctl', `--db=unix:${database}`, ...args)
    await vsctl('--no-wait', 'init')
    // Else each huge page of the driver's memory is a file of its own, and a table has room for eight.
    const extra = `--single-file-segments --no-pci --file-prefix=vring${process.pid}`
    const options = ['dpdk-init=true', `dpdk-extra="${extra}"`, 'dpdk-lcore-mask=0x1', 'pmd-cpu-mask=0x2']
    await vsctl('--no-wait', 'set', 'Open_vSwitch', '.', ...options.map((option) => `other_config:${option}`))
    start(VSWITCHD, `unix:${database}`, `--unixctl=${join(folder, 'vs.ctl')}`, `--log-file=${join(folder, 'vs.log')}`)
    const device = `net_virtio_user0,path=${socket},queues=1,queue_size=256,mac=02:00:00:00:00:07`
    await vsctl(
      ...['add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=netdev', '--', 'add-port', 'br0', 'vu0', '--'],
      ...['set', 'Interface', 'vu0', 'type=dpdk', `ofport_request=${PORT}`, `options:dpdk-devargs="${device}"`],
    )
    expect((await vsctl('get', 'Interface', 'vu0', 'error')).trim()).toBe('[]')
    await daemon.says(/the driver runs 2 rings of 256/)

    const bridge = `unix:${join(folder, 'br0.mgmt')}`
    const packet = `0200000000080200000000070800${'00'.repeat(50)}`
    for (let i = 0; i < FRAMES; i++)
      await run('ovs-ofctl', 'packet-out', bridge, `in_port=LOCAL packet=${packet} actions=output:${PORT}`)
    const counted = (direction: string): Promise<number> =>
      daemon!.metric(`vring_packets_total{pair="0",direction="${direction}"}`)
    await until('the frames', async () => (await counted('rx')) >= FRAMES)
    expect([await counted('tx'), await counted('rx')]).toEqual([FRAMES, FRAMES])
    expect(await daemon.metric('vring_queues_broken')).toBe(0)
    let ports = ''
    await until('the switch to count', async () => {
      ports = await run('ovs-ofctl', 'dump-ports', bridge, String(PORT))
      return ports.includes(`rx pkts=${FRAMES},`)
    })
    expect(ports).toContain(`tx pkts=${FRAMES},`)
  })
})
