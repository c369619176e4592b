import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { featureSet, hasFeature, VIRTIO_F_VERSION_1, VIRTIO_NET_F_MRG_RXBUF, VIRTIO_NET_F_STATUS } from '@vring/layout'
import { processResources, UnixListener, unsupportedHost } from '@vring/linux'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RecyclingDevice } from '../test/recycling-device.ts'
import { BackendSession } from './backend-session.ts'
import { linuxHost } from './linux-host.ts'
import { VhostUserWorker } from './worker.ts'

const TESTPMD = ['/usr/bin/dpdk-testpmd', '/usr/local/bin/dpdk-testpmd'].find((path) => existsSync(path))
const reason = unsupportedHost() ?? (TESTPMD === undefined ? 'dpdk-testpmd (Debian package dpdk-dev) is missing' : null)

/** Starts DPDK's driver side, transmitting 64-byte packets, without huge pages. */
function startTestpmd(path: string): ChildProcess {
  const vdev = `net_virtio_user0,mac=00:01:02:03:04:05,path=${path},queues=1,queue_size=256`
  const eal = ['--lcores', '0@1,1@1', '--file-prefix', `vring${process.pid}`, '--no-pci', '--no-huge', '-m', '512']
  return spawn(
    TESTPMD!,
    [...eal, '--vdev', vdev, '--', '-i', '--forward-mode=txonly', '--auto-start', '--total-num-mbufs=8192'],
    // It stops at the end of its input; it keeps its own sockets in RUNTIME_DIRECTORY.
    { stdio: ['pipe', 'ignore', 'ignore'], env: { ...process.env, RUNTIME_DIRECTORY: dirname(path) } },
  )
}

async function until(what: string, seconds: number, condition: () => boolean): Promise<void> {
  const end = performance.now() + seconds * 1000
  while (!condition()) {
    if (performance.now() > end) throw new Error(`${what}: not within ${seconds} s`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

describe.skipIf(reason !== null)(`DPDK testpmd, virtio_user${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  let listener: UnixListener
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-testpmd-'))
    listener = UnixListener.listen(join(folder, 'vhost.sock'))
  })
  afterAll(() => {
    listener.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Serves one testpmd until it made this many packets available, then kills it and waits for the session's end. */
  async function serve(packets: number): Promise<{ device: RecyclingDevice; session: BackendSession }> {
    const device = new RecyclingDevice()
    device.features = featureSet(VIRTIO_F_VERSION_1, VIRTIO_NET_F_MRG_RXBUF, VIRTIO_NET_F_STATUS)
    const driver = startTestpmd(listener.path)
    try {
      let transport = listener.accept()
      await until('testpmd connects', 30, () => {
        transport ??= listener.accept()
        return transport !== null
      })
      const session = new BackendSession({ transport: transport!, device, host: linuxHost })
      const end = performance.now() + 60_000
      const target = device.chains + packets
      const worker = new VhostUserWorker({
        session,
        device,
        shouldStop: () => device.chains >= target || performance.now() > end,
      })
      const result = worker.run()
      expect(session.error).toBeNull()
      expect(result).toBe('stopped')
      expect(hasFeature(session.features, VIRTIO_F_VERSION_1)).toBe(true)
      expect(session.memory.regions.length).toBeGreaterThan(0)
      expect(session.activeQueues).toEqual([0, 1])
      driver.kill('SIGKILL')
      expect(new VhostUserWorker({ session, device }).run()).toBe('closed')
      return { device, session }
    } finally {
      driver.kill('SIGKILL')
    }
  }

  test('negotiates, shares its memory, starts its rings, and its packets flow; killed, it leaves nothing behind', async () => {
    const before = processResources()
    const { device, session } = await serve(10_000)
    expect(device.chains).toBeGreaterThanOrEqual(10_000)
    expect(session.refusals).toBe(0)
    expect(device.rings.size).toBe(0)
    expect(processResources().openFds).toBeLessThanOrEqual(before.openFds + 1)
  })

  test('a second driver is served on the same socket after the first was killed', async () => {
    const { device } = await serve(10_000)
    expect(device.chains).toBeGreaterThanOrEqual(10_000)
  })
})
