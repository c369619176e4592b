import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UnixListener, type UnixSocket, unshareNetwork, unsupportedHost } from '@vring/linux'
import { buildSync } from 'esbuild'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { DaemonProcess, until } from './daemon-process.ts'
import { holdings, interfaces, isGone, processesNaming, programOn } from './leftovers.ts'
import { TestDriver } from './test-driver.ts'
import { Testpmd, testpmdMissing } from './testpmd.ts'

const isRoot = process.getuid?.() === 0
const reason = unsupportedHost() ?? (isRoot ? null : 'needs root') ?? testpmdMissing

/**
 * Kills of each kind; so many of them with testpmd, whose start takes a second or more, the others with a small driver.
 * `VRING_KILLS=1000` is the long run.
 */
const KILLS = Number(process.env['VRING_KILLS'] ?? 50)
const WITH_TESTPMD = 6
/** Tests of this kind run side by side in so many lanes: most of the time goes into starting processes. */
const LANES = 2
/** Frames that each driver gets through before something is killed. */
const FRAMES = 2000
const LIMIT_MS = 300_000 * Math.max(1, KILLS / 50)

const FLOOD_DRIVER = fileURLToPath(new URL('flood-driver.ts', import.meta.url))
/** The small driver in one file, which starts in a tenth of the time: where its `koffi` is found. */
const BUNDLES = fileURLToPath(new URL(`../.test-${process.pid}`, import.meta.url))
/** What is left of CommonJS in a bundle asks for modules of Node. */
const REQUIRE =
  "import { createRequire as nodeRequire } from 'node:module'; const require = nodeRequire(import.meta.url);"

function bundle(source: string): string {
  const outfile = join(BUNDLES, 'flood-driver.mjs')
  const common = { bundle: true, format: 'esm', platform: 'node', target: 'node20', logLevel: 'error' } as const
  buildSync({
    ...common,
    entryPoints: [source],
    outfile,
    conditions: ['@vring/source'],
    external: ['koffi'],
    banner: { js: REQUIRE },
  })
  return outfile
}

/** A daemon with a TAP whose XDP program drops what drivers send, so that a flood goes nowhere. */
function serve(socket: string, tap: string, ...more: string[]): DaemonProcess {
  const args = ['--socket', socket, '--backend', `tap:${tap}`, '--xdp', 'xdp1', '--metrics', '127.0.0.1:0', ...more]
  return new DaemonProcess(args, { from: 'built' })
}

const SENT = 'vring_packets_total{pair="0",direction="tx"}'
/** testpmd's packets are UDP, those of the small driver no IP at all. */
const SEEN_BY_XDP1 = 'vring_xdp_kernel_packets_total{counter="rxcnt[17]"}'
const GONE = 'vring_dropped_packets_total{pair="0",direction="tx",reason="gone"}'

/** Sends in this process, in turns of its event loop, until it is ended. */
class Flood {
  readonly driver: TestDriver
  #ended = false

  constructor(driver: TestDriver) {
    this.driver = driver
    this.#turn()
  }

  async frames(count: number): Promise<void> {
    const before = this.driver.flooded
    await until(`${count} frames`, () => this.driver.flooded >= before + count)
  }

  end(): void {
    this.#ended = true
    this.driver.close()
  }

  #turn(): void {
    if (this.#ended) return
    this.driver.flood()
    setImmediate(() => this.#turn())
  }
}

/** The next connection of a daemon that is a client. */
async function accepted(listener: UnixListener): Promise<UnixSocket> {
  let socket: UnixSocket | null = null
  await until('a connection', () => {
    socket = listener.accept()
    return socket !== null
  })
  return socket!
}

/** Runs something for each kill, in lanes side by side. */
async function inLanes(kills: number, run: (lane: number, kill: number) => Promise<void>): Promise<void> {
  let next = 0
  const lanes = Array.from({ length: LANES }, async (_, lane) => {
    for (let kill = next++; kill < kills; kill = next++) await run(lane, kill)
  })
  await Promise.all(lanes)
}

describe.skipIf(reason !== null)(`killed under load${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  let before: string[]
  let floodDriver: string
  const daemons: DaemonProcess[] = []
  const drivers: { kill(): unknown }[] = []
  beforeAll(() => {
    unshareNetwork()
    spawnSync('ip', ['link', 'set', 'lo', 'up'])
    folder = mkdtempSync(join(tmpdir(), 'vring-kill-'))
    before = interfaces()
    floodDriver = bundle(FLOOD_DRIVER)
  })
  afterEach(async () => {
    for (const driver of drivers.splice(0)) driver.kill()
    for (const { child } of daemons.splice(0)) child.kill('SIGKILL')
    await until('the end of all processes', () => processesNaming(folder).length === 0)
    expect(interfaces()).toEqual(before)
    // Sockets of daemons that could not remove theirs, and testpmd's run-time folder; neither is in use.
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true })
  })
  afterAll(() => {
    for (const one of [folder, BUNDLES]) rmSync(one, { recursive: true })
  })

  function started(daemon: DaemonProcess): DaemonProcess {
    daemons.push(daemon)
    return daemon
  }

  test(`the driver, ${KILLS} times: the daemon serves the next one and holds nothing of the last`, {
    timeout: LIMIT_MS,
  }, async () => {
    const socket = join(folder, 'driver.sock')
    const daemon = started(serve(socket, 'vkdriver'))
    await daemon.ready()
    const pid = daemon.child.pid!
    const small = (): ChildProcess => {
      const child = spawn(process.execPath, [floodDriver, socket], { stdio: ['ignore', 'ignore', 'inherit'] })
      drivers.push(child)
      return child
    }
    /** One driver's life: counted while it sends, killed, and forgotten. */
    const life = async (session: number, child: ChildProcess, onSession = (): void => {}): Promise<void> => {
      await until('the session', async () => (await daemon.metric('vring_sessions_total')) === session)
      onSession()
      const sent = await daemon.metric(SENT)
      await until('frames', async () => (await daemon.metric(SENT)) > sent + FRAMES)
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    }
    const over = (): Promise<void> => until('the end', async () => (await daemon.metric('vring_connected')) === 0)
    // The first one shows what the daemon holds without a driver, its caches filled.
    await life(1, small())
    await over()
    const held = holdings(pid)
    expect(held.sharedMappings).toBe(0)
    // Each driver starts while the one before is served: it waits in the socket's queue until that is killed.
    let next = small()
    for (let session = 2; session <= KILLS - WITH_TESTPMD; session++)
      await life(session, next, () => {
        if (session < KILLS - WITH_TESTPMD) next = small()
      })
    await over()
    expect(holdings(pid)).toEqual(held)
    const seen = await daemon.metric(SEEN_BY_XDP1)
    for (let session = KILLS - WITH_TESTPMD + 1; session <= KILLS; session++) {
      const driver = new Testpmd(socket, { forward: 'txonly' })
      drivers.push(driver)
      await life(session, driver.child)
      await over()
    }
    expect(await daemon.metric(SEEN_BY_XDP1)).toBeGreaterThan((seen || 0) + WITH_TESTPMD * FRAMES)
    expect(holdings(pid)).toEqual(held)
    expect(await daemon.metric('vring_queues_broken')).toBe(0)
    expect(await daemon.end('SIGTERM')).toBe(0)
    expect(existsSync(socket)).toBe(false)
  })

  test(`the daemon, ${KILLS} times: its TAP and program go with it, and the driver has the next one`, {
    timeout: LIMIT_MS,
  }, async () => {
    const listeners = Array.from({ length: LANES }, (_, lane) =>
      UnixListener.listen(join(folder, `daemon${lane}.sock`)),
    )
    const kill = async (daemon: DaemonProcess, tap: string): Promise<void> => {
      const program = programOn(tap)
      expect(await daemon.end('SIGKILL')).toBe('SIGKILL')
      // The kernel lets go of a dead process's files on its own time.
      await until('nothing of the daemon', () => isGone(tap, program))
    }
    await inLanes(KILLS - WITH_TESTPMD, async (lane) => {
      const listener = listeners[lane]!
      const daemon = started(serve(listener.path, `vkd${lane}`, '--client'))
      const flood = new Flood(new TestDriver(await accepted(listener)))
      await flood.frames(FRAMES)
      await kill(daemon, `vkd${lane}`)
      flood.end()
    })
    for (const listener of listeners) listener.close()

    // One testpmd that listens goes from daemon to daemon.
    const socket = join(folder, 'testpmd.sock')
    const driver = new Testpmd(socket, { forward: 'txonly', server: true })
    drivers.push(driver)
    for (let i = 0; i < WITH_TESTPMD; i++) {
      const daemon = started(serve(socket, 'vkd', '--client'))
      await until('frames', async () => (await daemon.metric(SEEN_BY_XDP1)) > FRAMES)
      await kill(daemon, 'vkd')
    }
    expect(driver.child.exitCode).toBeNull()
    await driver.kill()
  })

  test(`the TAP, ${KILLS} times: the daemon counts what it drops, drivers go on, SIGTERM ends it`, {
    timeout: LIMIT_MS,
  }, async () => {
    /** Deletes the TAP of a daemon that is busy; the driver must not notice. */
    const remove = async (daemon: DaemonProcess, tap: string): Promise<void> => {
      const program = programOn(tap)
      expect(await daemon.metric('vring_backend_up{pair="0"}')).toBe(1)
      expect(spawnSync('ip', ['link', 'del', tap]).status).toBe(0)
      await daemon.says(new RegExp(`${tap} was deleted: its frames are dropped and counted as gone`))
      await until('frames that are gone', async () => (await daemon.metric(GONE)) > FRAMES)
      expect(await daemon.metric('vring_backend_up{pair="0"}')).toBe(0)
      expect(await daemon.metric('vring_queues_broken')).toBe(0)
      expect(await daemon.metric('vring_connected')).toBe(1)
      expect(await daemon.end('SIGTERM')).toBe(0)
      expect(isGone(tap, program)).toBe(true)
    }
    await inLanes(KILLS - WITH_TESTPMD, async (lane, kill) => {
      const socket = join(folder, `tap${lane}-${kill}.sock`)
      const daemon = started(serve(socket, `vkt${lane}`))
      await daemon.ready()
      const flood = new Flood(new TestDriver(socket))
      await flood.frames(FRAMES)
      await remove(daemon, `vkt${lane}`)
      flood.end()
      expect(existsSync(socket)).toBe(false)
    })
    const socket = join(folder, 'testpmd.sock')
    const driver = new Testpmd(socket, { forward: 'txonly', server: true })
    drivers.push(driver)
    for (let i = 0; i < WITH_TESTPMD; i++) {
      const daemon = started(serve(socket, 'vkt', '--client'))
      await until('frames', async () => (await daemon.metric(SEEN_BY_XDP1)) > FRAMES)
      await remove(daemon, 'vkt')
    }
    await driver.kill()
  })
})
