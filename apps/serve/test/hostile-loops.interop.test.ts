import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { VhostUserDriver } from '@vring/vhost-user'
import { describe, expect, test } from 'vitest'
import { DaemonProcess } from './daemon-process.ts'
import { HostileRig, hostileRigMissing } from './hostile-rig.ts'
import {
  buffersOf,
  FEATURES,
  GUEST,
  LOG_ALL,
  type RawFrontend,
  REQUEST,
  RING_PACKED,
  WRITE,
  words,
} from './raw-frontend.ts'

const EVENT_IDX = 1n << 29n
const MIB = 2 ** 20

/** So many frames, each of 100 bytes, from the same buffer. */
function send({ rings }: RawFrontend, count: number): void {
  const ring = rings[1]!
  for (let i = 0; i < count; i++) ring.descriptor(i, GUEST + buffersOf(1), 112)
  ring.offer(...Array.from({ length: count }, (_, i) => i))
}

/** Room for so many frames, all of it at one place. */
function room({ rings }: RawFrontend, count: number, at: number): void {
  const ring = rings[0]!
  for (let i = 0; i < count; i++) ring.descriptor(i, GUEST + at, 2048, WRITE)
  ring.offer(...Array.from({ length: count }, (_, i) => i))
}

interface Attack {
  readonly what: string
  readonly features?: bigint
  readonly run: (driver: RawFrontend) => Promise<void> | void
}

/** What the device does itself makes more work for it, over and over. */
const ATTACKS: readonly Attack[] = [
  {
    what: 'the call of each ring is the kick of the other one',
    run: (driver) => {
      for (const queue of [0, 1])
        driver.send(REQUEST.SET_VRING_CALL, words(BigInt(queue)), [driver.rings[1 - queue]!.kick.fd])
      room(driver, 200, buffersOf(0))
      send(driver, 200)
    },
  },
  ...[0, -4, -8].map((move) => ({
    what: `the used ring lies over the avail ring, ${-move} bytes before it`,
    run: (driver: RawFrontend) => {
      for (const queue of [0, 1]) {
        const { desc, avail, size } = driver.rings[queue]!
        driver.sendAddress(queue, { desc, avail, used: avail + move, size } as never)
      }
      room(driver, 200, buffersOf(0))
      send(driver, 200)
    },
  })),
  {
    what: 'frames are received over the ring that sends them',
    run: (driver) => {
      const { desc, avail } = driver.rings[1]!
      room(driver, 100, desc - 12)
      send(driver, 250)
      room(driver, 100, avail - 12)
    },
  },
  {
    what: 'frames are received over the ring that receives them',
    run: (driver) => {
      const { desc, avail } = driver.rings[0]!
      room(driver, 100, desc - 12)
      room(driver, 100, avail - 12)
      send(driver, 250)
    },
  },
  {
    what: 'the migration log lies over the ring that is logged',
    run: async (driver) => {
      const { avail, used } = driver.rings[0]!
      const byte = Math.floor((GUEST + used) / 4096 / 8)
      const logged = words(BigInt(Math.ceil((GUEST + driver.bytes) / 4096 / 8)), BigInt(avail + 2 - byte + 0x8000))
      await driver.ask(REQUEST.SET_LOG_BASE, logged, [driver.fd])
      driver.send(REQUEST.SET_FEATURES, words(FEATURES | LOG_ALL))
      room(driver, 200, buffersOf(0))
      send(driver, 200)
    },
  },
  ...[
    [2, 0x7fff],
    [2, 0xffff],
    [3, 0],
    [0xffff, 0xffff],
  ].map(([flags, offset]) => ({
    what: `packed rings: the driver's event suppression says flags ${flags}, descriptor ${offset}`,
    features: FEATURES | RING_PACKED | EVENT_IDX,
    run: (driver: RawFrontend) => {
      for (const ring of [driver.rings[0]!, driver.rings[1]!]) {
        driver.view.setUint16(ring.avail, offset!, true)
        driver.view.setUint16(ring.avail + 2, flags!, true)
      }
      room(driver, 200, buffersOf(0))
      send(driver, 200)
    },
  })),
  {
    what: 'a ring is moved, and stopped and started, without end',
    run: (driver) => {
      const [ring] = driver.rings
      for (let i = 0; i < 150; i++) {
        driver.sendAddress(0, ring!)
        driver.send(REQUEST.SET_VRING_ENABLE, words(0, i % 2))
      }
      room(driver, 200, buffersOf(0))
      send(driver, 200)
    },
  },
]

describe.skipIf(hostileRigMissing !== null)(
  `a driver whose device feeds itself${hostileRigMissing === null ? '' : ` (skipped: ${hostileRigMissing})`}`,
  () => {
    const rig = new HostileRig()

    test('its other pair, metrics, the next driver and the end are served as ever', { timeout: 120_000 }, async () => {
      await rig.serve()
      for (const { what, features = FEATURES, run } of ATTACKS) {
        const driver = await rig.driver({ features })
        await driver.echo(1, 1)
        await run(driver)
        console.log(what)
        await rig.meanwhile(driver, 100)
        rig.leave()
      }
      await rig.aftermath()
    })

    test('a block device: the longest reads, zeroes and discards keep neither another queue nor the end waiting', async () => {
      const [socket, file] = [join(rig.folder, 'blk.sock'), join(rig.folder, 'disk')]
      writeFileSync(file, '')
      truncateSync(file, 64 * MIB)
      const args = ['block', '--socket', socket, '--file', file, '--queues', '2']
      const daemon = new DaemonProcess(args, { from: 'built' })
      rig.daemon = daemon
      await daemon.ready()
      const slots = { queues: 2, queueSize: 16, slotBytes: 24 * MIB }
      const driver = rig.keep(VhostUserDriver.connect({ path: socket, features: 2n ** 20n - 1n, ...slots }))
      const header = (type: number): Uint8Array => {
        const view = new DataView(new ArrayBuffer(16))
        view.setUint32(0, type, true)
        return new Uint8Array(view.buffer)
      }
      const range = new DataView(new ArrayBuffer(16))
      range.setUint32(8, 2 ** 16, true)
      const ranges = new Uint8Array(256)
      for (let at = 0; at < ranges.length; at += 16) ranges.set(new Uint8Array(range.buffer), at)
      const [long] = driver.rings
      for (const [parts, bytes] of [
        [[header(0)], 20 * MIB],
        [[header(11), ranges], 0],
        [[header(13), ranges], 0],
        [[header(0)], 20 * MIB],
      ] as const)
        expect(long!.send(parts, bytes + 1, { indirect: true })).toBeGreaterThanOrEqual(0)
      long!.kick()
      let longest = 0
      for (let i = 0; i < 5; i++) {
        const start = performance.now()
        expect(driver.request(1, [header(0)], 513).bytes[512]).toBe(0)
        longest = Math.max(longest, performance.now() - start)
      }
      console.log(`longest read of the other queue ${longest.toFixed(0)} ms`)
      long!.kick()
      expect(await daemon.end('SIGTERM')).toBe(0)
    })
  },
)
