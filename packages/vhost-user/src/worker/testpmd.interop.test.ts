import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { featureSet, hasFeature, VIRTIO_F_VERSION_1, VIRTIO_NET_F_MRG_RXBUF, VIRTIO_NET_F_STATUS } from '@vring/layout'
import { processResources, unsupportedHost } from '@vring/linux'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RecyclingDevice } from '../../test/recycling-device.ts'
import { linuxHost } from '../host/linux-host.ts'
import { BackendSession } from '../session/backend-session.ts'
import { type SocketRole, VhostUserEndpoint } from './endpoint.ts'
import { VhostUserWorker } from './worker.ts'

const TESTPMD = ['/usr/bin/dpdk-testpmd', '/usr/local/bin/dpdk-testpmd'].find((path) => existsSync(path))
const reason = unsupportedHost() ?? (TESTPMD === undefined ? 'dpdk-testpmd (Debian package dpdk-dev) is missing' : null)

/** Starts DPDK's driver side, transmitting 64-byte packets, without huge pages; `role` is its end of the socket. */
function startTestpmd(path: string, role: SocketRole): ChildProcess {
  const server = role === 'server' ? ',server=1' : ''
  const vdev = `net_virtio_user0,mac=00:01:02:03:04:05,path=${path},queues=1,queue_size=256${server}`
  const eal = ['--lcores', '0@1,1@1', '--file-prefix', `vring${process.pid}`, '--no-pci', '--no-huge', '-m', '512']
  return spawn(
    TESTPMD!,
    [...eal, '--vdev', vdev, '--', '-i', '--forward-mode=txonly', '--auto-start', '--total-num-mbufs=8192'],
    // It stops at the end of its input; it keeps its own sockets in RUNTIME_DIRECTORY.
    { stdio: ['pipe', 'ignore', 'ignore'], env: { ...process.env, RUNTIME_DIRECTORY: dirname(path) } },
  )
}

/** How long a driver may take to start and to send, in ms. */
const DEADLINE_MS = 45_000

describe.skipIf(reason !== null)(`DPDK testpmd, virtio_user${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-testpmd-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  /** Serves one testpmd until its packets went round, kills it in mid-burst and waits for the session's end. */
  function serve(endpoint: VhostUserEndpoint, driver: ChildProcess, packets: number): void {
    const device = new RecyclingDevice()
    device.features = featureSet(VIRTIO_F_VERSION_1, VIRTIO_NET_F_MRG_RXBUF, VIRTIO_NET_F_STATUS)
    const end = performance.now() + DEADLINE_MS
    try {
      const session = new BackendSession({
        transport: endpoint.next({ shouldStop: () => performance.now() > end })!,
        device,
        host: linuxHost,
      })
      const shouldStop = (): boolean => device.chains >= packets || performance.now() > end
      // Without sleep once rings run, so that the deadline counts whatever the driver does.
      const worker = new VhostUserWorker({ busyPollUs: Number.POSITIVE_INFINITY, shouldStop })
      worker.add(session, device)
      const result = worker.run()
      expect(session.error).toBeNull()
      expect(result).toBe('stopped')
      expect(device.chains).toBeGreaterThanOrEqual(packets)
      expect(hasFeature(session.features, VIRTIO_F_VERSION_1)).toBe(true)
      expect(session.memory.regions.length).toBeGreaterThan(0)
      expect(session.activeQueues).toEqual([0, 1])
      expect(session.refusals).toBe(0)
      driver.kill('SIGKILL')
      const rest = new VhostUserWorker()
      rest.add(session, device)
      expect(rest.run()).toBe('closed')
      expect(device.rings.size).toBe(0)
    } finally {
      driver.kill('SIGKILL')
    }
  }

  /** An endpoint that tries often. */
  function endpointOf(path: string, role: SocketRole): VhostUserEndpoint {
    return new VhostUserEndpoint({ path, role, retryMs: 20 })
  }

  test.each<[SocketRole, SocketRole]>([
    ['server', 'client'],
    ['client', 'server'],
  ])(
    'as %s: negotiates, maps its memory, its packets go round; killed, it leaves nothing, and the next one is served',
    (role, driverRole) => {
      const path = join(folder, 'vhost.sock')
      const before = processResources().openFds
      const endpoint = endpointOf(path, role)
      for (let round = 0; round < 2; round++) {
        serve(endpoint, startTestpmd(path, driverRole), 10_000)
        // A testpmd that was killed leaves its socket's path, and does not start where there is one.
        if (role === 'client') rmSync(path, { force: true })
      }
      endpoint.close()
      // Pipes to the drivers' standard input close when this process gets to it.
      expect(processResources().openFds).toBeLessThanOrEqual(before + 2)
      expect(readFileSync('/proc/self/maps', 'latin1')).not.toContain('memfd:')
    },
  )
})
