import { closeFd, createMemfd } from '@vring/linux'
import { describe, expect, test } from 'vitest'
import { until } from './daemon-process.ts'
import { TABLE } from './hostile-attacks.ts'
import { HostileRig, hostileRigMissing, IOTLB, PACKED } from './hostile-rig.ts'
import { buffersOf, GUEST, INDIRECT, NEXT, type RawFrontend, REQUEST, USER, words } from './raw-frontend.ts'

const region = (guest: number, bytes: number, user: number): bigint[] => [
  BigInt(guest),
  BigInt(bytes),
  BigInt(user),
  0n,
]
/** A region beside the driver's, that comes and goes. */
const MORE = region(0x8000_0000, 1 << 20, 0x7e00_0000_0000)

/** What a driver of two threads changes without end: what it sends the `i`th time, `more` being memory of its own. */
const CHANGES: readonly ((driver: RawFrontend, more: number, i: number) => void)[] = [
  (driver, _, i) => driver.send(REQUEST.SET_VRING_ENABLE, words(i & 3, Number((i & 3) > 1 || (i & 4) === 4))),
  (driver, _, i) => driver.send(REQUEST.SET_VRING_CALL, words(BigInt(i & 3)), [driver.rings[i & 3]!.call.fd]),
  (driver, _, i) => driver.sendAddress(i & 3, driver.rings[i & 3]!),
  (driver, more, i) => {
    const regions = [region(GUEST, driver.bytes, USER), MORE].slice(0, 1 + (i & 1))
    driver.send(
      REQUEST.SET_MEM_TABLE,
      words(regions.length, 0, ...regions.flat()),
      [driver.fd, more].slice(0, 1 + (i & 1)),
    )
  },
  (driver, more, i) =>
    (i & 1) === 0
      ? driver.send(REQUEST.ADD_MEM_REG, words(0n, ...MORE), [more])
      : driver.send(REQUEST.REM_MEM_REG, words(0n, ...MORE)),
]

describe.skipIf(hostileRigMissing !== null)(
  `a hostile driver, by other ways${hostileRigMissing === null ? '' : ` (skipped: ${hostileRigMissing})`}`,
  () => {
    const rig = new HostileRig()

    test('packed rings: a descriptor without end, a table without end and an id out of range break their ring alone', async () => {
      const daemon = await rig.serve()
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
        const driver = await rig.driver(PACKED)
        attack(driver)
        await until('the error', () => driver.rings[1]!.error.drain())
        await driver.echo(1, 1)
        expect(await daemon.metric(`vring_broken_queues_total{reason="${why}"}`)).toBe(1)
        rig.leave()
      }
      expect(await daemon.end('SIGTERM')).toBe(0)
    })

    test('two threads: rings and memory that change without end hold neither the other pair, metrics, the next driver nor the end', async () => {
      await rig.serve({ args: ['--threads', '2'] })
      const more = createMemfd('more', 1 << 20)
      for (const change of CHANGES) {
        const driver = await rig.driver()
        await driver.echo(1, 1)
        let over = false
        const flood = async (): Promise<void> => {
          for (let i = 0; !over; i += 64) {
            for (let k = 0; k < 64; k++) change(driver, more, i + k)
            await driver.ask(REQUEST.GET_FEATURES)
          }
        }
        const flooded = flood()
        await rig.meanwhile(driver, 100)
        over = true
        await flooded
        rig.leave()
      }
      closeFd(more)
      await rig.aftermath()
    })

    test('an IOTLB that translates byte by byte breaks the queue that needs more entries than there are', async () => {
      const daemon = await rig.serve(IOTLB)
      const driver = await rig.driver(IOTLB)
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
  },
)
