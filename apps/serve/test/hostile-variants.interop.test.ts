import { spawnSync } from 'node:child_process'
import { ftruncateSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { UnixListener, type UnixSocket, unshareNetwork, unsupportedHost } from '@vring/linux'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DaemonProcess, until } from './daemon-process.ts'
import { longestEcho } from './longest-echo.ts'
import {
  ACCESS_PLATFORM,
  BACKEND_REQ,
  buffersOf,
  FEATURES,
  GUEST,
  INDIRECT,
  NEXT,
  PROTOCOL,
  RawFrontend,
  type RawOptions,
  REQUEST,
  RING_PACKED,
  USER,
  WRITE,
  words,
} from './raw-frontend.ts'

const reason = unsupportedHost() ?? (process.getuid?.() === 0 ? null : 'needs root')
const TABLE = 0x30_0000
/** Where memory is that is taken away. */
const GONE = 0xf0_0000

interface Variant {
  readonly name: string
  readonly features: bigint
  readonly client?: boolean
  readonly args?: readonly string[]
}

const iotlb = { args: ['--accessor', 'iotlb-translated'] }
const variants: readonly Variant[] = [
  { name: 'packed rings', features: FEATURES | RING_PACKED },
  { name: 'an IOTLB', features: FEATURES | ACCESS_PLATFORM, ...iotlb },
  { name: 'packed rings and an IOTLB', features: FEATURES | ACCESS_PLATFORM | RING_PACKED, ...iotlb },
  { name: 'packed rings of a listening driver', features: FEATURES | RING_PACKED, client: true },
]

/** One indirect table of 1024 descriptors of length zero, in every entry of the ring; a frame of 100 bytes at the end of each. */
function bomb(driver: RawFrontend, queue: number): void {
  const ring = driver.rings[queue]!
  const flags = queue % 2 === 0 ? WRITE : 0
  for (let i = 0; i < 1023; i++) ring.descriptor(i, GUEST + buffersOf(1), 0, flags | NEXT, i + 1, TABLE)
  ring.descriptor(1023, GUEST + buffersOf(1), queue % 2 === 0 ? 12 : 112, flags, 0, TABLE)
  ring.descriptor(0, GUEST + TABLE, 16 * 1024, INDIRECT)
  ring.offer(...new Array<number>(ring.size).fill(0))
}

/** Many frames, one a descriptor. */
function send(driver: RawFrontend, count: number): void {
  const ring = driver.rings[1]!
  for (let i = 0; i < count; i++) ring.descriptor(i, GUEST + buffersOf(1), 112)
  ring.offer(...Array.from({ length: count }, (_, i) => i))
}

describe.skipIf(reason !== null)(
  `a hostile driver, by other ways${reason === null ? '' : ` (skipped: ${reason})`}`,
  () => {
    let folder: string
    let socket: string
    let daemon: DaemonProcess
    let listener: UnixListener | null = null
    const open: { close(): void }[] = []
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'vring-hostile-'))
      socket = join(folder, 'vring.sock')
    })
    afterEach(async () => {
      for (const one of open.splice(0)) one.close()
      listener?.close()
      listener = null
      if (daemon.child.exitCode === null && daemon.child.signalCode === null) await daemon.end('SIGKILL')
      rmSync(folder, { recursive: true })
    })

    async function serve(
      { args = [], client = false }: Omit<Variant, 'name' | 'features'>,
      backend: string,
    ): Promise<void> {
      if (client) listener = UnixListener.listen(socket)
      const common = ['--socket', socket, '--backend', backend, '--queues', '2', '--metrics', '127.0.0.1:0']
      daemon = new DaemonProcess([...common, ...args, ...(client ? ['--client'] : [])], { from: 'built' })
      await daemon.ready()
    }

    async function connect(options: RawOptions): Promise<RawFrontend> {
      const all = { ...options, memfd: { sealed: false } }
      let accepted: UnixSocket | null = null
      if (listener !== null)
        await until('a connection', () => {
          accepted = listener!.accept()
          return accepted !== null
        })
      const driver =
        accepted === null ? await RawFrontend.negotiate(socket, all) : await RawFrontend.accepted(accepted, all)
      open.push(driver)
      return driver
    }

    /** A driver of the variant with two running pairs. */
    async function driverOf({ features }: Pick<Variant, 'features'>): Promise<RawFrontend> {
      const translated = (features & ACCESS_PLATFORM) !== 0n
      const driver = await connect({ features, protocol: PROTOCOL | (translated ? BACKEND_REQ : 0n) })
      if (translated) open.push({ close: driver.answerMisses().stop })
      return driver.start(4, translated ? { user: GUEST } : {})
    }

    function leave(): void {
      for (const one of open.splice(0)) one.close()
    }

    /** The longest echo on pair 1 while an attack on pair 0 goes on. */
    async function meanwhile(driver: RawFrontend, ms = 400): Promise<void> {
      const longest = await longestEcho(driver, daemon, 1, ms)
      expect(await daemon.metric('vring_connected')).toBe(1)
      console.log(longest)
    }

    test.each(variants)('$name: bombs and memory that is gone cost their sender, and no other', async (variant) => {
      await serve(variant, 'loopback')
      for (const queue of [0, 1]) {
        const driver = await driverOf(variant)
        await driver.echo(1, 1)
        bomb(driver, queue)
        if (queue === 0) send(driver, 250)
        await meanwhile(driver)
        leave()
      }
      const shortened: ((driver: RawFrontend) => void)[] = [
        ({ rings }) => rings[1]!.kick.signal(),
        ({ rings }) => {
          rings[1]!.descriptor(0, GUEST + GONE, 112)
          rings[1]!.offer(0)
        },
        ({ rings }) => {
          rings[1]!.descriptor(0, GUEST + GONE, 32, INDIRECT)
          rings[1]!.offer(0)
        },
      ]
      for (const [i, attack] of shortened.entries()) {
        const driver = await driverOf(variant)
        await driver.echo(0, 1)
        ftruncateSync(driver.fd, i === 0 ? 4096 : 0x80_0000)
        attack(driver)
        await driver.hungUp()
        leave()
      }
      expect(await daemon.metric('vring_session_ends_total{reason="memory"}')).toBe(shortened.length)
      const next = await driverOf(variant)
      await next.echo(0, 1)
      await next.echo(1, 2)
      bomb(next, 1)
      expect(await daemon.end('SIGTERM')).toBe(0)
    })

    test('packed rings: a descriptor without end, a table without end and an id out of range break their ring alone', async () => {
      const features = FEATURES | RING_PACKED
      await serve({}, 'loopback')
      for (const [why, attack] of [
        [
          'chain-too-long',
          (driver: RawFrontend) => {
            const ring = driver.rings[1]!
            for (let i = 0; i < ring.size; i++) ring.descriptor(i, GUEST + buffersOf(1), 0, NEXT, i + 1)
            ring.offer(0)
          },
        ],
        [
          'indirect-length',
          ({ rings }: RawFrontend) => {
            rings[1]!.descriptor(0, GUEST + TABLE, 16 * 65_537, INDIRECT)
            rings[1]!.offer(0)
          },
        ],
        [
          'id-out-of-range',
          ({ rings }: RawFrontend) => {
            rings[1]!.descriptor(5000, GUEST + buffersOf(1), 112)
            rings[1]!.offer(5000)
          },
        ],
      ] as const) {
        const driver = await driverOf({ features })
        attack(driver)
        await until('the error', () => driver.rings[1]!.error.drain())
        await driver.echo(1, 1)
        expect(await daemon.metric(`vring_broken_queues_total{reason="${why}"}`)).toBe(1)
        leave()
      }
      expect(await daemon.end('SIGTERM')).toBe(0)
    })

    test('an IOTLB that translates byte by byte breaks the queue that needs more entries than there are', async () => {
      await serve(iotlb, 'loopback')
      const driver = await driverOf({ features: FEATURES | ACCESS_PLATFORM })
      await driver.echo(1, 1)
      const at = buffersOf(1) + 0x8_0000
      for (let i = 0; i < 2100; i++) {
        const entry = words(BigInt(GUEST + at + i), 1n, BigInt(USER + at + i))
        driver.send(REQUEST.IOTLB_MSG, new Uint8Array([...entry, 3, 2, 0, 0, 0, 0, 0, 0]))
      }
      await driver.ask(REQUEST.GET_FEATURES)
      driver.rings[1]!.descriptor(0, GUEST + at, 2090)
      driver.rings[1]!.offer(0)
      await until('the error', () => driver.rings[1]!.error.drain())
      expect(await daemon.metric('vring_broken_queues_total{reason="too-many-pieces"}')).toBe(1)
      await driver.echo(1, 2)
      expect(await daemon.end('SIGTERM')).toBe(0)
    })

    test('a TAP: chains of zero-length descriptors keep neither the other pair, metrics nor the end waiting', async () => {
      unshareNetwork()
      const up = (name: string): void => expect(spawnSync('ip', ['link', 'set', name, 'up']).status).toBe(0)
      up('lo')
      await serve({}, 'tap:vhbomb')
      up('vhbomb')
      const driver = await driverOf({ features: FEATURES })
      bomb(driver, 1)
      const ring = driver.rings[3]!
      for (let sent = 1; sent <= 20; sent++) {
        const slot = sent % ring.size
        ring.descriptor(slot, GUEST + buffersOf(3), 112)
        ring.offer(slot)
        await until('a frame of the other pair', () => ring.usedIdx === sent)
      }
      expect(await daemon.metric('vring_connected')).toBe(1)
      expect(await daemon.end('SIGTERM')).toBe(0)
    })
  },
)
