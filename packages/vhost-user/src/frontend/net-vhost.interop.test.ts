import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deviceStatusNames, featureSet, hasFeature, VIRTIO_F_RING_PACKED, VIRTIO_NET_F_MRG_RXBUF } from '@vring/layout'
import { unsupportedHost } from '@vring/linux'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { PROTOCOL_F_STATUS, protocolFeatureNames } from '../messages/protocol-features.ts'
import { VhostUserDriver } from './vhost-user-driver.ts'

const TESTPMD = ['/usr/bin/dpdk-testpmd', '/usr/local/bin/dpdk-testpmd'].find((path) => existsSync(path))
const reason = unsupportedHost() ?? (TESTPMD === undefined ? 'dpdk-testpmd (Debian package dpdk-dev) is missing' : null)
const HEADER_BYTES = 12

/** DPDK's own backend, which offers STATUS and serves no driver that acknowledges it and never says DRIVER_OK. */
describe.skipIf(reason !== null)(
  `DPDK net_vhost as the device${reason === null ? '' : ` (skipped: ${reason})`}`,
  () => {
    let folder: string
    let testpmd: ChildProcess | null = null
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'vring-net-vhost-'))
    })
    afterEach(async () => {
      if (testpmd !== null && testpmd.exitCode === null) {
        const gone = new Promise((resolve) => testpmd!.once('exit', resolve))
        testpmd.kill('SIGKILL')
        await gone
      }
      rmSync(folder, { recursive: true, force: true })
    })

    test.each([
      ['split', 0n],
      ['packed', featureSet(VIRTIO_F_RING_PACKED)],
    ] as const)(
      'sends frames by %s rings and gets them back, after the device status says DRIVER_OK',
      async (_, format) => {
        const path = join(folder, 'vhost.sock')
        const eal = [
          '--lcores',
          '0@0,1@1',
          '--file-prefix',
          `vringv${process.pid}`,
          '--no-pci',
          '--no-huge',
          '-m',
          '256',
        ]
        testpmd = spawn(
          TESTPMD!,
          // One port forwards to itself.
          [
            ...eal,
            '--vdev',
            `net_vhost0,iface=${path},queues=1`,
            '--',
            '-i',
            '--forward-mode=io',
            '--auto-start',
            '--total-num-mbufs=4096',
          ],
          { stdio: ['pipe', 'ignore', 'ignore'], env: { ...process.env, RUNTIME_DIRECTORY: folder } },
        )
        const end = performance.now() + 30_000
        while (!existsSync(path) && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 50))
        const driver = VhostUserDriver.connect({
          path,
          queues: 2,
          features: featureSet(VIRTIO_NET_F_MRG_RXBUF) | format,
          slotBytes: 2048,
        })
        try {
          const { frontend, rings } = driver
          expect(driver.features & featureSet(VIRTIO_F_RING_PACKED)).toBe(format)
          expect(protocolFeatureNames(frontend.protocolFeatures)).toContain('STATUS (16)')
          expect(hasFeature(frontend.protocolFeatures, PROTOCOL_F_STATUS)).toBe(true)
          expect(deviceStatusNames(frontend.status)).toBe('ACKNOWLEDGE DRIVER FEATURES_OK DRIVER_OK')
          const [rx, tx] = rings
          const frame = new Uint8Array(HEADER_BYTES + 64)
          frame.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0], HEADER_BYTES)
          let back = 0
          let sent = 0
          while (back < 100 && performance.now() < end) {
            while (rx!.send([], 1526) >= 0);
            rx!.kick()
            frame[HEADER_BYTES + 20] = sent & 0xff
            if (tx!.send([frame]) >= 0) sent++
            tx!.kick()
            while (tx!.receive() !== null);
            for (let answer = rx!.receive(); answer !== null; answer = rx!.receive()) {
              expect(answer.length).toBe(frame.length)
              expect([...answer.bytes.subarray(HEADER_BYTES, HEADER_BYTES + 6)]).toEqual([2, 0, 0, 0, 0, 1])
              back++
            }
            driver.wait(rings, 2)
          }
          expect(back).toBeGreaterThanOrEqual(100)
          const base = frontend.stopQueue(1)
          if (format === 0n) expect(base).toBe(sent & 0xffff)
        } finally {
          driver.close()
        }
      },
    )
  },
)
