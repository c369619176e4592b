import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  featureSet,
  VIRTIO_F_ACCESS_PLATFORM,
  VIRTIO_F_RING_PACKED,
  VIRTIO_NET_F_GUEST_ANNOUNCE,
  VIRTIO_NET_F_MQ,
  VIRTIO_NET_F_MRG_RXBUF,
} from '@vring/layout'
import { unshareNetwork, unsupportedHost } from '@vring/linux'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { DaemonProcess, until } from './daemon-process.ts'
import { giveFile, takeFile } from './guest/file-exchange.ts'
import { Guest, type GuestOptions, QEMU } from './guest/guest.ts'
import { BUSYBOX, buildGuestImage, type GuestImage, guestKernel } from './guest/guest-image.ts'
import { OFFLOAD_FEATURES, WITHOUT_OFFLOADS } from './guest/offloads.ts'

const reason =
  unsupportedHost() ??
  (process.getuid?.() === 0 ? null : 'needs root') ??
  (existsSync(QEMU) ? null : 'qemu-system-x86_64 (Debian package qemu-system-x86) is missing') ??
  (guestKernel() === null ? 'a kernel (Debian package linux-image-cloud-amd64) is missing' : null) ??
  (existsSync(BUSYBOX) ? null : 'busybox (Debian package busybox-static) is missing')

const HOST = { v4: '192.0.2.1', v6: '2001:db8::1' }
const GUEST = { v4: '192.0.2.2', v6: '2001:db8::2' }
const MIB = 2 ** 20
/** How long a file may take each way on a busy machine, ms. */
const COPY_MS = 100_000
/** Bytes of the longest Ethernet frame without segmentation offload: the MTU of 1500 and the header. */
const FRAME_BYTES = 1514
/**
 * An IOMMU whose translations the device caches: they travel over vhost-user. With caching mode the guest invalidates
 * at once.
 */
const IOMMU = [
  ...['-machine', 'q35,memory-backend=m,kernel-irqchip=split'],
  ...['-device', 'intel-iommu,device-iotlb=on,caching-mode=on'],
]
const BEHIND_IOMMU = ['disable-legacy=on', 'iommu_platform=on', 'ats=on']

/** A file of `bytes` random bytes goes to the guest and comes back over TCP. */
interface FileCase {
  readonly accessor: string
  readonly what: string
  readonly family: keyof typeof HOST
  readonly bytes: number
  /** How the accessor reaches ring metadata, in the words of the metrics. */
  readonly mode: string
  /** Virtio features of those in question that the guest negotiates. */
  readonly features: bigint
  readonly guest?: Partial<GuestOptions>
  /** It is killed then while frames go, and another one comes. */
  readonly killed?: boolean
}

const OFF = { card: [...WITHOUT_OFFLOADS, 'mrg_rxbuf=off'] }
const MERGEABLE = featureSet(VIRTIO_NET_F_MRG_RXBUF)
const PACKED = featureSet(VIRTIO_F_RING_PACKED)
const TRANSLATED = featureSet(VIRTIO_F_ACCESS_PLATFORM)
const ON = OFFLOAD_FEATURES | MERGEABLE

const FILE_CASES: readonly FileCase[] = [
  { accessor: 'vmap-direct', what: 'offloads', family: 'v4', bytes: 64 * MIB, mode: 'direct', features: ON },
  {
    accessor: 'vmap-direct',
    what: 'no offloads',
    family: 'v4',
    bytes: 64 * MIB,
    mode: 'direct',
    features: 0n,
    guest: OFF,
  },
  {
    ...{ accessor: 'copy-checked', what: 'offloads, packed rings', family: 'v6', bytes: 64 * MIB, mode: 'copy' },
    ...{ features: ON | PACKED, guest: { card: ['packed=on'] }, killed: true },
  },
  {
    ...{ accessor: 'copy-checked', what: 'mergeable buffers only', family: 'v4', bytes: 8 * MIB, mode: 'copy' },
    ...{ features: MERGEABLE, guest: { card: WITHOUT_OFFLOADS } },
  },
  {
    // Segments arrive in buffers of 64 KiB then, chains of pages.
    ...{
      accessor: 'nospec-masked',
      what: 'offloads, no mergeable buffers, packed rings',
      family: 'v4',
      bytes: 16 * MIB,
      mode: 'copy',
    },
    ...{ features: OFFLOAD_FEATURES | PACKED, guest: { card: ['mrg_rxbuf=off', 'packed=on'] } },
  },
  {
    ...{ accessor: 'iotlb-translated', what: 'offloads with an IOMMU', family: 'v4', bytes: 8 * MIB },
    ...{ mode: 'translated', features: ON | TRANSLATED },
    guest: { card: BEHIND_IOMMU, args: IOMMU, append: 'intel_iommu=on' },
  },
  {
    ...{ accessor: 'iotlb-translated', what: 'offloads with an IOMMU, packed rings', family: 'v6', bytes: 8 * MIB },
    ...{ mode: 'translated', features: ON | TRANSLATED | PACKED },
    guest: { card: [...BEHIND_IOMMU, 'packed=on'], args: IOMMU, append: 'intel_iommu=on' },
  },
]
const ANNOUNCE = featureSet(VIRTIO_NET_F_GUEST_ANNOUNCE)
const IN_QUESTION = ON | TRANSLATED | PACKED

describe.skipIf(reason !== null)(
  `Linux guests${reason === null ? '' : ` (skipped: ${reason})`}`,
  { timeout: 3 * COPY_MS },
  () => {
    let shared: string
    let image: GuestImage
    let folder: string
    let socket: string
    /** A new name for each test: the kernel takes its time to remove the TAP of a process that was killed. */
    let tap: string
    let taps = 0
    let daemon: DaemonProcess | null = null
    let second: DaemonProcess | null = null
    let guest: Guest | null = null

    // Daemons that this process starts, and its own sockets, are in its namespace.
    beforeAll(() => {
      unshareNetwork()
      ip('link set lo up')
      shared = mkdtempSync(join(tmpdir(), 'vring-guests-'))
      image = buildGuestImage(shared)
    })
    afterAll(() => rmSync(shared, { recursive: true }))
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'vring-guest-'))
      socket = join(folder, 'vm.sock')
      tap = `vguest${taps++}`
    })
    afterEach(async () => {
      await guest?.kill()
      for (const one of [daemon, second])
        if (one !== null && one.child.exitCode === null && one.child.signalCode === null) await one.end('SIGKILL')
      guest = daemon = second = null
      rmSync(folder, { recursive: true })
    })

    async function serve(...args: string[]): Promise<DaemonProcess> {
      const common = ['--socket', socket, '--backend', `tap:${tap}`, '--metrics', '127.0.0.1:0']
      daemon = new DaemonProcess([...common, ...args], { from: 'built' })
      await daemon.ready()
      return daemon
    }

    /** Addresses of this host; a TAP that went with its daemon needs them again. */
    function addressHost(): void {
      ip(`addr add ${HOST.v4}/24 dev ${tap}`)
      ip(`addr add ${HOST.v6}/64 dev ${tap} nodad`)
    }

    /** Starts a guest and gives it its addresses. */
    async function boot(options: Partial<GuestOptions> = {}): Promise<Guest> {
      guest = await Guest.boot({ image, folder, chardev: `path=${socket}`, ...options })
      await addressGuest(guest)
      return guest
    }

    test.each(FILE_CASES.map((one) => [one.accessor, one.what, one] as const))(
      'a file goes to a guest and comes back over TCP: %s, %s',
      async (_, __, one) => {
        const { accessor, family, bytes, mode, features } = one
        const daemon = await serve('--accessor', accessor)
        addressHost()
        const guest = await boot(one.guest)
        expect((await guestFeatures(guest)) & IN_QUESTION).toBe(features)
        await ping(guest, HOST[family])

        const file = randomBytes(bytes)
        const sum = createHash('sha256').update(file).digest('hex')
        const idle = await metrics(daemon)
        const give = await giveFile(HOST[family], file)
        const down = await timed(() => guest.run(`nc ${HOST[family]} ${give.port} >/tmp/file`, COPY_MS))
        await give.done
        const received = await metrics(daemon)
        expect(await guest.run('sha256sum </tmp/file')).toContain(sum)
        const take = await takeFile(HOST[family])
        const up = await timed(() => guest.run(`nc ${HOST[family]} ${take.port} </tmp/file`, COPY_MS))
        expect(await take.done).toBe(sum)
        const sent = await metrics(daemon)
        const speed = (ms: number): string => (bytes / MIB / (ms / 1000)).toFixed(1)
        console.log(`${accessor}, ${one.what}: ${speed(down)} MiB/s to the guest, ${speed(up)} MiB/s from it`)

        // Segments are longer than any frame that the wire would carry; without offload there is none of them.
        const segments = (features & OFFLOAD_FEATURES) !== 0n
        expect(meanFrame(idle, received, 'rx') > FRAME_BYTES).toBe(segments)
        expect(meanFrame(received, sent, 'tx') > FRAME_BYTES).toBe(segments)
        const accesses = [...sent].filter(([name, count]) => name.startsWith('vring_ring_accesses_total{') && count > 0)
        expect(accesses.map(([name]) => /mode="([^"]+)"/.exec(name)![1])).toEqual([mode, mode, mode])
        // What the host sends before the guest has its driver is dropped, and counted as that.
        const dropped = [...sent.keys()].filter((name) => name.startsWith('vring_dropped_packets_total'))
        expect(dropped.filter((name) => !name.includes('reason="no-driver"'))).toEqual([])
        expect(sent.get('vring_queues_broken')).toBe(0)
        if (one.killed === true) await killAndBoot(daemon, one)
      },
    )

    /** A guest is killed while frames go both ways, and the next one is served by the same daemon. */
    async function killAndBoot(daemon: DaemonProcess, { guest: options, family, features }: FileCase): Promise<void> {
      await guest!.run(`ping -i 0.01 -s 1400 ${HOST[family]} >/dev/null 2>&1 &`)
      const frames = 'vring_packets_total{pair="0",direction="tx"}'
      const before = (await metrics(daemon)).get(frames)!
      await until('frames', async () => (await metrics(daemon)).get(frames)! > before + 20)
      await guest!.kill()
      await until('the end of the session', async () => (await metrics(daemon)).get('vring_connected') === 0)
      const next = await boot(options)
      expect((await guestFeatures(next)) & IN_QUESTION).toBe(features)
      await ping(next, HOST[family])
      expect((await metrics(daemon)).get('vring_sessions_total')).toBe(2)
      expect((await metrics(daemon)).get('vring_queues_broken')).toBe(0)
    }

    test('a guest with two queue pairs sends and receives through both', async () => {
      const daemon = await serve('--queues', '2')
      addressHost()
      const guest = await boot({ queues: 2 })
      expect((await guestFeatures(guest)) & featureSet(VIRTIO_NET_F_MQ)).toBe(featureSet(VIRTIO_NET_F_MQ))
      // A queue pair for each processor; the TAP answers a flow through the queue that it came from.
      for (const cpu of [0, 1]) {
        const before = await metrics(daemon)
        await guest.run(`taskset ${1 << cpu} ping -c 5 -i 0.1 -W 5 ${HOST.v4}`)
        const after = await metrics(daemon)
        for (const direction of ['tx', 'rx']) {
          const name = `vring_packets_total{pair="${cpu}",direction="${direction}"}`
          expect(after.get(name)! - before.get(name)!).toBeGreaterThan(0)
        }
      }
    })

    test('a guest learns the MTU of QEMU’s command line, and frames of that length pass', async () => {
      const daemon = await serve('--mtu', '9000')
      addressHost()
      const guest = await boot({ card: [...WITHOUT_OFFLOADS, 'host_mtu=9000'] })
      expect(await guest.run('cat /sys/class/net/eth0/mtu')).toBe('9000')
      const before = await metrics(daemon)
      expect(await guest.run(`ping -c 3 -i 0.2 -W 5 -s 8900 ${HOST.v4}`)).toContain(', 0% packet loss')
      const after = await metrics(daemon)
      for (const direction of ['tx', 'rx'] as const)
        expect(meanFrame(before, after, direction)).toBeGreaterThan(FRAME_BYTES)
    })

    test.each([
      ['split', []],
      ['packed', ['packed=on']],
    ])(
      'a guest with %s rings migrates to another QEMU with another daemon, which announces it there',
      async (_, card) => {
        const first = await serve()
        // Both TAPs are the same station for the guest, as one switch would be.
        const station = '02:00:00:00:00:01'
        ip(`link set dev ${tap} address ${station}`)
        addressHost()
        const source = await boot({ card })
        // The daemon announces it, as QEMU asks (SEND_RARP): the driver is not to do it a second time.
        expect((await guestFeatures(source)) & (ANNOUNCE | PACKED)).toBe(card.length > 0 ? PACKED : 0n)
        await ping(source, HOST.v4)

        // Idle while it moves: QEMU 7.2 loses pages that an emulated processor writes then, whatever its network card.
        tap = `vguest${taps++}`
        const there = join(folder, 'there')
        mkdirSync(there)
        const path = join(there, 'vm.sock')
        second = new DaemonProcess(['--socket', path, '--backend', `tap:${tap}`, '--metrics', '127.0.0.1:0'], {
          from: 'built',
        })
        await second.ready()
        ip(`link set dev ${tap} address ${station}`)
        guest = await source.migrate({ image, folder: there, chardev: `path=${path}`, card })
        const sent = 'vring_packets_total{pair="0",direction="tx"}'
        await until('an announcement', async () => (await metrics(second!)).get(sent)! > 0)
        expect(await first.end('SIGTERM')).toBe(0)
        addressHost()
        await ping(guest, HOST.v4)
        expect((await metrics(second)).get('vring_queues_broken')).toBe(0)
      },
    )

    test.each([
      ['a daemon that is killed', 'split', [], 'reconnect=1', 'SIGKILL'],
      ['a daemon that is killed', 'packed', [], 'reconnect=1', 'SIGKILL'],
      ['a daemon that connects to QEMU', 'split', ['--client'], 'server=on,wait=off', 'SIGTERM'],
    ] as const)('%s is replaced under a guest with %s rings that runs', async (_, format, role, chardev, signal) => {
      // One that stays, with its address, while no daemon serves it.
      ip(`tuntap add dev ${tap} mode tap`)
      try {
        addressHost()
        const first = await serve(...role)
        const guest = await boot({
          chardev: `path=${socket},${chardev}`,
          card: format === 'packed' ? ['packed=on'] : [],
        })
        await ping(guest, HOST.v4)
        await first.end(signal)
        expect(await guest.run(`ping -c 1 -W 1 ${HOST.v4} >/dev/null || echo lost`)).toBe('lost')
        const second = await serve(...role)
        await second.says(/a driver connected/)
        // QEMU reads the base of split rings in the guest's memory. That of packed rings it can't know without the
        // daemon: it says the one of their beginning again, and they stand still until the driver sets them up.
        if (format === 'split') {
          await until(
            'an answer',
            async () => (await guest.run(`ping -c 1 -W 1 ${HOST.v4} >/dev/null && echo ok; true`)) === 'ok',
          )
          await ping(guest, HOST.v4)
        }
        // The same driver module, loaded again, goes on in the same session.
        await guest.run('rmmod virtio_net && insmod /modules/virtio_net.ko')
        await addressGuest(guest)
        await ping(guest, HOST.v6)
        expect((await metrics(second)).get('vring_sessions_total')).toBe(1)
      } finally {
        ip(`link del ${tap}`)
      }
    })
  },
)

function ip(command: string): void {
  const { status, stderr } = spawnSync('ip', command.split(' '), { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${command}: ${stderr}`)
}

async function addressGuest(guest: Guest): Promise<void> {
  await guest.run('echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad')
  await guest.run(`ip link set eth0 up && ip addr add ${GUEST.v4}/24 dev eth0 && ip addr add ${GUEST.v6}/64 dev eth0`)
  // Else TCP cuts its segments down to what an emulated processor sends in a millisecond.
  await guest.run('echo 16 >/proc/sys/net/ipv4/tcp_min_tso_segs')
}

/** Three echo requests, all of which are answered. */
async function ping(guest: Guest, address: string): Promise<void> {
  expect(await guest.run(`ping -c 3 -i 0.2 -W 5 ${address}`)).toContain('3 packets received, 0% packet loss')
}

/** Virtio features that the guest's driver has negotiated. */
async function guestFeatures(guest: Guest): Promise<bigint> {
  const bits = await guest.run('cat /sys/class/net/eth0/device/features')
  return BigInt(`0b${[...bits].reverse().join('')}`)
}

/** All that the daemon counts, by name and labels. */
async function metrics(daemon: DaemonProcess): Promise<Map<string, number>> {
  const [, url] = await daemon.says(/metrics on (\S+)\n/)
  const lines = (await (await fetch(`${url}metrics`)).text()).split('\n').filter((line) => /^[a-z]/.test(line))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]))
}

/** Bytes of a frame between two looks at the metrics, on average. */
function meanFrame(before: Map<string, number>, after: Map<string, number>, direction: 'tx' | 'rx'): number {
  const [bytes, packets] = ['bytes', 'packets'].map((what) => {
    const name = `vring_${what}_total{pair="0",direction="${direction}"}`
    return after.get(name)! - before.get(name)!
  })
  return bytes! / packets!
}

/** How long it takes, ms. */
async function timed(step: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await step()
  return performance.now() - start
}
