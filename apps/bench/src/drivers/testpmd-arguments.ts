import { basename, dirname, join } from 'node:path'
import type { CellSpec } from '../cell/cell-spec.ts'

/** Memory of one testpmd in MiB: with huge pages, of which its pool takes a third, and without, where the pool is larger. */
export const TESTPMD_HUGE_MIB = 64
const TESTPMD_PLAIN_MIB = 512

/** What becomes of frames, see {@link TestpmdOptions.forward}. */
export type PeerForward = 'drop' | 'loopback' | 'tap' | 'af-xdp' | 'nowhere'

/**
 * Bursts of 32 frames that circulate between two testpmd that give back what they receive. They are half of a ring of
 * 256, so that no burst finds it full and is dropped.
 */
export const LOOPBACK_BURSTS = 4

export interface TestpmdOptions {
  readonly binary: string
  /** `driver`: virtio_user. `backend`: net_vhost. */
  readonly role: 'driver' | 'backend'
  /**
   * What becomes of frames. `drop`: the driver sends, the backend counts. `loopback`: both give back what they receive,
   * and the driver sends the first ones. `tap`, `af-xdp`: the backend forwards to an interface. `nowhere`: a driver
   * without a device, which keeps its CPU busy.
   */
  readonly forward: PeerForward
  /** Name of that interface: net_tap makes it, net_af_xdp finds it. */
  readonly interface?: string
  /** vhost-user socket; the backend makes it, the driver connects to it. */
  readonly socket: string
  /** CPU that it polls on. */
  readonly cpu: number
  readonly queueSize: number
  readonly frameBytes: number
  readonly hugePages: boolean
  /** Options of virtio_user, which are written out: what it takes for granted differs from version to version. */
  readonly driver: DriverOptions
}

/** What a driver offers beyond the features that it always has. Source: DPDK 22.11 virtio driver guide. */
export interface DriverOptions {
  readonly inOrder: boolean
  readonly packed: boolean
  readonly mergeable: boolean
}

/** The ring of a cell, with mergeable receive buffers. */
export function driverOptionsOf({ ring, inOrder }: Pick<CellSpec, 'ring' | 'inOrder'>): DriverOptions {
  return { inOrder, packed: ring === 'packed', mergeable: true }
}

/** As they stand on its command line: `in_order=0,packed_vq=0,mrg_rxbuf=1`. */
function driverOptionsText({ inOrder, packed, mergeable }: DriverOptions): string {
  return `in_order=${Number(inOrder)},packed_vq=${Number(packed)},mrg_rxbuf=${Number(mergeable)}`
}

/**
 * Arguments of one testpmd. Source: DPDK 22.11 testpmd user guide; virtio_user, vhost, tap and af_xdp driver guides.
 */
export function testpmdArguments(options: TestpmdOptions): string[] {
  const { cpu, hugePages } = options
  const memory = hugePages
    ? ['--in-memory', '--single-file-segments', '-m', String(TESTPMD_HUGE_MIB)]
    : ['--no-huge', '-m', String(TESTPMD_PLAIN_MIB)]
  return [
    '-v',
    '--lcores',
    `0@${cpu},1@${cpu}`,
    '--file-prefix',
    testpmdPrefix(options),
    '--no-pci',
    ...memory,
    ...devices(options).flatMap((device) => ['--vdev', device]),
    '--',
    '-i',
    '--total-num-mbufs=8192',
    ...forwarding(options),
  ]
}

/** Its name among the DPDK processes of a folder. */
function testpmdPrefix({ role, socket }: Pick<TestpmdOptions, 'role' | 'socket'>): string {
  return `vring-${role}-${process.pid}-${basename(socket, '.sock')}`
}

/** Its telemetry socket. Source: DPDK 22.11 Telemetry library guide, of RUNTIME_DIRECTORY. */
export function telemetryPath(options: Pick<TestpmdOptions, 'role' | 'socket'>): string {
  return join(dirname(options.socket), 'dpdk', testpmdPrefix(options), 'dpdk_telemetry.v2')
}

/** Its ports: towards the other side, and the one that it forwards to. */
function devices({ role, socket, queueSize, forward, interface: name, driver }: TestpmdOptions): string[] {
  if (forward === 'nowhere') return ['net_null0']
  if (role === 'driver')
    return [
      `net_virtio_user0,mac=00:01:02:03:04:05,path=${socket},queues=1,queue_size=${queueSize},${driverOptionsText(driver)}`,
    ]
  const vhost = `net_vhost0,iface=${socket},queues=1`
  if (forward === 'tap') return [vhost, `net_tap0,iface=${name}`]
  if (forward === 'af-xdp') return [vhost, `net_af_xdp0,iface=${name},start_queue=0,queue_count=1,force_copy=1`]
  return [vhost]
}

/** A driver that gives frames back is started by a command, with the first frames: see {@link startsByCommand}. */
function forwarding({ role, forward, frameBytes }: TestpmdOptions): string[] {
  if (role === 'backend') return ['--auto-start', `--forward-mode=${forward === 'drop' ? 'rxonly' : 'io'}`]
  const frames = `--txpkts=${frameBytes}`
  return forward === 'loopback' ? ['--forward-mode=io', frames] : ['--auto-start', '--forward-mode=txonly', frames]
}

/** Does it wait for `start tx_first`? See {@link LOOPBACK_BURSTS}. */
export function startsByCommand({ role, forward }: TestpmdOptions): boolean {
  return role === 'driver' && forward === 'loopback'
}
