import { spawnSync } from 'node:child_process'
import { unshareNetwork } from '@vring/linux'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from './daemon-process.ts'
import { HOSTILE_ATTACKS, TAP_PEER } from './hostile-attacks.ts'
import {
  CLIENT,
  HostileRig,
  hostileRigMissing,
  IOTLB,
  negotiated,
  PACKED,
  PACKED_IOTLB,
  SPLIT,
  type Variant,
} from './hostile-rig.ts'
import { type Echo, echoText, longestEcho } from './longest-echo.ts'
import { buffersOf, GUEST, RawFrontend, sleep } from './raw-frontend.ts'

const TAP: Variant = { name: 'TAP', backend: 'tap:vhmatrix' }
const VARIANTS: readonly Variant[] = [SPLIT, PACKED, IOTLB, PACKED_IOTLB, CLIENT, TAP]

/** Of a cell, in ms. */
interface Row {
  readonly attack: string
  readonly variant: string
  /** Of another pair of the same session while it lives, and of another device of the daemon. */
  readonly echo: Echo
  /** From the hang-up to the next driver's first answer. */
  readonly next: number
  readonly metrics: number
  /** From SIGTERM, in the middle of the attack. */
  readonly exit: number
}

const rows: Row[] = []
const cells = VARIANTS.flatMap((variant) =>
  HOSTILE_ATTACKS.filter(({ ringless }) => !ringless || (variant.features === undefined && variant !== TAP)).map(
    (attack) => [attack.name, variant.name, attack, variant] as const,
  ),
)

/** A frame of a pair back from a loopback, or out to a TAP. */
async function exchange(driver: RawFrontend, pair: number, { backend }: Variant, mark: number): Promise<number> {
  if (backend === undefined) return driver.echo(pair, mark)
  const ring = driver.rings[2 * pair + 1]!
  const slot = ring.availIdx % ring.size
  const start = performance.now()
  ring.descriptor(slot, GUEST + buffersOf(2 * pair + 1), 112)
  ring.offer(slot)
  while (ring.usedIdx !== ring.availIdx) {
    if (performance.now() - start > 20_000) throw new Error(`no frame of pair ${pair} left within 20 s`)
    await sleep(0)
  }
  return performance.now() - start
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

function longer(one: Echo, other: Echo): Echo {
  return one.ms > other.ms ? one : other
}

describe.skipIf(hostileRigMissing !== null)(
  `each attack by each way${hostileRigMissing === null ? '' : ` (skipped: ${hostileRigMissing})`}`,
  () => {
    const rig = new HostileRig()
    beforeAll(() => {
      unshareNetwork()
      ip('link', 'set', 'lo', 'up')
    })
    afterAll(() => {
      if (rows.length > 0) console.log(table())
    })

    function ip(...args: string[]): void {
      const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
      expect(status, `ip ${args.join(' ')}: ${stderr}`).toBe(0)
    }

    function tapUp(name: string): void {
      ip('addr', 'add', '198.51.100.1/24', 'dev', name)
      ip('link', 'set', name, 'up')
      ip('neigh', 'add', TAP_PEER, 'lladdr', '02:00:00:00:00:02', 'dev', name)
    }

    test.each(cells)(
      '%s, %s: other pairs, metrics, the next driver and the end are served',
      async (attack, variant, { runs, ringless = false, ends }, way) => {
        const beside = await RawFrontend.negotiate(await rig.serveBeside(way))
        await beside.start(2)
        if (way.backend !== undefined) tapUp('vhmatrix')
        let echo: Echo = { ms: 0, waitedMs: 0 }
        let [next, metrics] = [0, 0]
        let driver = await rig.connect(negotiated(way))
        for (const run of runs) {
          if (!ringless) {
            await rig.start(driver, way)
            await exchange(driver, 1, way, 1)
          }
          await run(driver, way)
          const alive = driver
          const pairs = async (mark: number): Promise<number> => {
            const other = await beside.echo(0, mark)
            return ends !== undefined || ringless ? other : Math.max(other, await exchange(alive, 1, way, mark))
          }
          // A hang-up is told by the run itself: the next one comes at once.
          if (!driver.socket.closed) {
            echo = longer(echo, await longestEcho(pairs, rig.daemon, 100))
            metrics = Math.max(metrics, await timed(() => rig.daemon.page('metrics')))
            if (ends !== undefined) await driver.hungUp()
          }
          const leaves = performance.now()
          rig.leave()
          const [after, connected] = await Promise.all([
            longestEcho((mark) => beside.echo(0, mark), rig.daemon, 30),
            rig.connect(negotiated(way)).then((one) => [one, performance.now() - leaves] as const),
          ])
          echo = longer(echo, after)
          driver = connected[0]
          next = Math.max(next, connected[1])
        }
        await rig.start(driver, way)
        for (const pair of [0, 1]) await exchange(driver, pair, way, pair)
        metrics = Math.max(metrics, await timed(() => rig.daemon.page('metrics')))
        if (ends !== undefined) {
          const name = `vring_session_ends_total{device="attacked",reason="${ends}"}`
          await until('sessions that end', async () => (await rig.daemon.metric(name)) === runs.length)
        }
        await runs[0]!(driver, way)
        const exit = await timed(async () => expect(await rig.daemon.end('SIGTERM')).toBe(0))
        beside.close()
        rows.push({ attack, variant, echo, next, metrics, exit })
      },
    )
  },
)

/** As it stands in a document: another pair's echo / the next driver's first answer / metrics / SIGTERM to exit, in ms. */
function table(): string {
  const cell = (attack: string, variant: string): string => {
    const row = rows.find((one) => one.attack === attack && one.variant === variant)
    if (row === undefined) return 'no rings'
    return [row.echo.ms, row.next, row.metrics, row.exit].map((ms) => ms.toFixed(0)).join(' / ')
  }
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const names = VARIANTS.map(({ name }) => name)
  const lines = HOSTILE_ATTACKS.map(({ name }) => line([name, ...names.map((variant) => cell(name, variant))]))
  const longest = echoText(rows.map(({ echo }) => echo).reduce(longer))
  return [line(['attack', ...names]), line(['---', ...names.map(() => '---')]), ...lines, longest].join('\n')
}
