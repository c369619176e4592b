import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hasFeature, VIRTIO_F_ACCESS_PLATFORM, VIRTIO_F_RING_PACKED } from '@vring/layout'
import { unsupportedHost } from '@vring/linux'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DaemonProcess, until } from './daemon-process.ts'
import { MigratingDriver } from './migrating-driver.ts'

const reason = unsupportedHost()
const [RX, TX] = [0, 1]
/** Frames before the memory is copied, between two copies, and on the target: several laps of the rings each. */
const FRAMES = 600
const COPIES = 3

describe.skipIf(reason !== null)(`live migration${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  let daemons: DaemonProcess[] = []
  let driver: MigratingDriver | null = null
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-migration-'))
  })
  afterEach(async () => {
    driver?.close()
    for (const { child } of daemons) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await Promise.all(daemons.map((one) => one.exit()))
    daemons = []
    driver = null
    rmSync(folder, { recursive: true })
  })

  test.each([
    ['split', 'vmap-direct', 'vmap-direct'],
    ['packed', 'vmap-direct', 'copy-checked'],
    ['split', 'iotlb-translated', 'iotlb-translated'],
    ['packed', 'iotlb-translated', 'iotlb-translated'],
  ] as const)(
    'a driver of %s rings moves from a daemon with %s to one with %s while frames go: no frame and no byte of its memory is lost',
    async (format, ...accessors) => {
      const sockets = accessors.map((_, i) => join(folder, `vring${i}.sock`))
      daemons = accessors.map((accessor, i) => {
        const args = [
          '--socket',
          sockets[i]!,
          '--backend',
          'loopback',
          '--accessor',
          accessor,
          '--metrics',
          '127.0.0.1:0',
        ]
        return new DaemonProcess(args, { from: 'built' })
      })
      await Promise.all(daemons.map((one) => one.ready()))
      const [packed, iommu] = [format === 'packed', accessors[0] === 'iotlb-translated']
      const guest = new MigratingDriver(sockets[0]!, { packed, iommu })
      driver = guest
      expect(hasFeature(guest.features, VIRTIO_F_RING_PACKED)).toBe(packed)
      expect(hasFeature(guest.features, VIRTIO_F_ACCESS_PLATFORM)).toBe(iommu)
      const frames = async (): Promise<void> => {
        const end = guest.received + FRAMES
        await until('frames', async () => {
          for (let i = 0; i < 20 && guest.received < end; i++) {
            guest.turn(100)
            await new Promise(setImmediate)
          }
          return guest.received >= end
        })
      }

      await frames()
      guest.startLog()
      for (let i = 0; i < COPIES; i++) {
        await frames()
        expect(guest.copyDirty()).toBeGreaterThan(0)
      }
      await frames()
      guest.turn(256)
      const tx = guest.stop(TX)
      // What the device took is on its way back; what it left is for the other daemon.
      await until('frames under way', () => {
        guest.turn(0)
        return guest.underWay === 0
      })
      const bases = [guest.stop(RX), tx]
      guest.turn(0)
      expect(bases).toEqual([guest.base(RX), guest.base(TX)])
      const before = guest.differing()
      expect(before.length).toBeGreaterThan(0)
      guest.copyDirty()
      expect(guest.differing()).toEqual([])
      expect([...guest.logged]).toEqual(expect.arrayContaining([...guest.deviceWritten]))

      guest.resume(sockets[1]!, bases)
      await frames()
      await until('the last frame', () => {
        guest.turn(0)
        return guest.received === guest.sent
      })
      for (const daemon of daemons) {
        expect(await daemon.metric('vring_queues_broken')).toBe(0)
        expect(await daemon.page('metrics')).not.toContain('vring_dropped_packets_total{')
        expect(await daemon.end('SIGTERM')).toBe(0)
      }
      console.log(`${format}, ${accessors[0]}: ${guest.sent} frames, ${guest.logged.size} pages logged`)
    },
  )
})
