import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VIRTIO_F_RING_PACKED } from '@vring/layout'
import { unsupportedHost } from '@vring/linux'
import { VhostUserDriver } from '@vring/vhost-user'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DaemonProcess, until } from './daemon-process.ts'

const QSD = '/usr/bin/qemu-storage-daemon'
const reason = unsupportedHost()
const noQsd = reason ?? (existsSync(QSD) ? null : 'qemu-storage-daemon (Debian package qemu-system-common) is missing')
const FEATURES = 2n ** 20n - 1n
const [READ, WRITE, FLUSH] = [0, 1, 4]
/** How often the daemon is killed, half of it over each ring format. */
const KILLS = Number(process.env.VRING_KILLS ?? 8) / 2

function header(type: number, sector: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(16))
  view.setUint32(0, type, true)
  view.setBigUint64(8, BigInt(sector), true)
  return new Uint8Array(view.buffer)
}

let folder: string
let socket: string
let file: string
let children: ChildProcess[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vring-block-'))
  socket = join(folder, 'blk.sock')
  file = join(folder, 'disk')
})
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children = []
  rmSync(folder, { recursive: true, force: true })
})

/** Writes, reads back, flushes. */
function exercise(driver: VhostUserDriver): void {
  const data = randomBytes(4096)
  expect(driver.request(0, [header(WRITE, 8), data], 1).bytes[0]).toBe(0)
  expect(driver.request(0, [header(FLUSH, 0)], 1).bytes[0]).toBe(0)
  const { bytes } = driver.request(0, [header(READ, 8)], 4097)
  expect(bytes[4096]).toBe(0)
  expect(Buffer.from(bytes.subarray(0, 4096)).equals(data)).toBe(true)
  expect(readFileSync(file).subarray(4096, 8192).equals(data)).toBe(true)
}

describe.skipIf(reason !== null)(`vring-serve block${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  test('serves a file to a driver, and the next one', async () => {
    writeFileSync(file, new Uint8Array(2 ** 20))
    const daemon = new DaemonProcess(['block', '--socket', socket, '--file', file, '--queues', '2'], { from: 'built' })
    children.push(daemon.child)
    await daemon.ready()
    for (let i = 0; i < 2; i++) {
      const driver = VhostUserDriver.connect({ path: socket, features: FEATURES, queues: 2, slotBytes: 8192 })
      exercise(driver)
      driver.close()
    }
    expect(await daemon.end('SIGTERM')).toBe(0)
    expect(existsSync(socket)).toBe(false)
  })

  test.each([
    ['split', 0n],
    ['packed', 1n << BigInt(VIRTIO_F_RING_PACKED)],
  ])(
    'killed under load, over a %s ring, it loses no write that was acknowledged, and its driver never hangs',
    {
      timeout: 300_000,
    },
    async (_, format) => {
      const sectors = 2048
      writeFileSync(file, new Uint8Array(512 * sectors))
      const start = async (): Promise<DaemonProcess> => {
        rmSync(socket, { force: true })
        const one = new DaemonProcess(['block', '--socket', socket, '--file', file], { from: 'built' })
        children.push(one.child)
        await one.ready()
        return one
      }
      let daemon = await start()
      const features = FEATURES | format
      const driver = VhostUserDriver.connect({ path: socket, features, slotBytes: 1024, queueSize: 128 })
      expect(driver.features & format).toBe(format)
      const [ring] = driver.rings
      /** What a sector must hold: of its last acknowledged write. One write of a sector is under way at a time. */
      const acknowledged = new Uint32Array(sectors)
      const underWay = new Map<number, { readonly sector: number; readonly value: number }>()
      const busy = new Set<number>()
      let value = 0
      let done = 0
      const fill = (): void => {
        for (;;) {
          const sector = Math.floor(Math.random() * sectors)
          if (busy.has(sector)) continue
          const data = new Uint32Array(128).fill(++value)
          const token = ring!.send([header(WRITE, sector), new Uint8Array(data.buffer)], 1)
          if (token < 0) break
          underWay.set(token, { sector, value })
          busy.add(sector)
        }
        ring!.kick()
      }
      const drain = (): number => {
        let count = 0
        for (let answer = ring!.receive(); answer !== null; answer = ring!.receive(), count++) {
          const { sector, value: written } = underWay.get(answer.token)!
          underWay.delete(answer.token)
          busy.delete(sector)
          expect(answer.bytes[0]).toBe(0)
          acknowledged[sector] = written
        }
        done += count
        return count
      }
      for (let kill = 0; kill < KILLS; kill++) {
        const end = performance.now() + 20 + 100 * Math.random()
        while (performance.now() < end) {
          fill()
          if (drain() === 0) driver.wait([ring!], 5)
        }
        fill()
        daemon.child.kill('SIGKILL')
        await daemon.exit()
        daemon = await start()
        driver.reconnect()
      }
      while (underWay.size > 0) {
        const before = underWay.size
        drain()
        if (underWay.size === before) driver.wait([ring!], 5000)
        if (underWay.size === before) drain()
        expect(underWay.size, 'the driver hangs').toBeLessThanOrEqual(before)
      }
      const content = readFileSync(file)
      for (let sector = 0; sector < sectors; sector++)
        expect(content.readUInt32LE(512 * sector), `sector ${sector}`).toBe(acknowledged[sector])
      expect(done).toBeGreaterThan(100 * KILLS)
      driver.close()
      expect(await daemon.end('SIGTERM')).toBe(0)
    },
  )
})

describe.skipIf(noQsd !== null)(
  `the driver, against qemu-storage-daemon${noQsd === null ? '' : ` (skipped: ${noQsd})`}`,
  () => {
    test('reads, writes and flushes, acknowledging only what it speaks', async () => {
      writeFileSync(file, new Uint8Array(2 ** 20))
      const child = spawn(QSD, [
        ...['--blockdev', `driver=file,node-name=f,filename=${file}`],
        ...['--export', `type=vhost-user-blk,id=e,node-name=f,writable=on,addr.type=unix,addr.path=${socket}`],
      ])
      children.push(child)
      await until('its socket', async () => existsSync(socket))
      const driver = VhostUserDriver.connect({ path: socket, features: FEATURES, slotBytes: 8192 })
      exercise(driver)
      const capacity = new DataView(driver.config(0, 8).slice().buffer).getBigUint64(0, true)
      expect(capacity).toBe(2048n)
      driver.close()
    })
  },
)
