import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { until } from '../daemon-process.ts'
import { Testpmd, testpmdMissing } from '../testpmd.ts'
import { type Actor, type Counts, count, randomStream, sleep } from './actor.ts'
import { DIES_WITH_PARENT, WatchedDaemon } from './watched-daemon.ts'

const FLOOD_DRIVER = fileURLToPath(new URL('../flood-driver.ts', import.meta.url))
const REPOSITORY = fileURLToPath(new URL('../../../..', import.meta.url))
const TAP = 'vsoak0'
const SENT = 'vring_packets_total{pair="0",direction="tx"}'
const FRAMES = 2000
/** Every so many drivers one is DPDK's. */
const TESTPMD_EVERY = 8

/**
 * A daemon with a TAP, drivers that send as fast as they can and are killed, and a link that goes down, up and changes
 * its MTU.
 */
export class KilledDrivers implements Actor {
  readonly name = 'killed drivers'
  readonly counts: Counts = {}
  readonly daemon: WatchedDaemon
  readonly #random: (limit: number) => number
  readonly #testpmd: boolean
  #child: ChildProcess | null = null

  private constructor(daemon: WatchedDaemon, seed: number, testpmd: boolean) {
    this.daemon = daemon
    this.#random = randomStream(seed)
    this.#testpmd = testpmd
  }

  /** @param testpmd some of the drivers are DPDK's, where it is installed */
  static async start(folder: string, seed: number, testpmd: boolean): Promise<KilledDrivers> {
    const args = ['--backend', `tap:${TAP}`, '--xdp', 'xdp1']
    const daemon = await WatchedDaemon.start('tap', join(folder, 'tap.sock'), args)
    return new KilledDrivers(daemon, seed, testpmd && testpmdMissing === null)
  }

  async run(ended: () => boolean): Promise<void> {
    for (let session = 1; !ended(); session++) {
      const child = this.#driver(session)
      this.#child = child
      await until('the session', async () => (await this.daemon.metric('vring_sessions_total')) === session)
      const before = await this.daemon.metric(SENT)
      await until('frames', async () => (await this.daemon.metric(SENT)) > before + FRAMES)
      await this.#changeLink()
      await sleep(this.#random(500))
      const broken = await this.daemon.metric('vring_queues_broken')
      if (broken !== 0) throw new Error(`${broken} rings of a driver that behaves are broken`)
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
      this.#child = null
      await until('the end', async () => (await this.daemon.metric('vring_connected')) === 0)
      count(this.counts, 'drivers killed')
      if (session === 1) await this.daemon.look()
    }
    this.counts['frames sent'] = await this.daemon.metric(SENT)
  }

  async end(): Promise<string[]> {
    this.#child?.kill('SIGKILL')
    return this.daemon.end()
  }

  #driver(session: number): ChildProcess {
    if (this.#testpmd && session % TESTPMD_EVERY === 2) {
      count(this.counts, 'of them DPDK testpmd')
      return new Testpmd(this.daemon.socket, { forward: 'txonly' }).child
    }
    const [command, ...rest] = [...DIES_WITH_PARENT, process.execPath, '--import', 'tsx', FLOOD_DRIVER]
    return spawn(command!, [...rest, this.daemon.socket], { cwd: REPOSITORY, stdio: ['ignore', 'ignore', 'ignore'] })
  }

  /** Frames go on while the link is down, dropped and counted, and pass again when it is up. */
  async #changeLink(): Promise<void> {
    const sent = await this.daemon.metric(SENT)
    for (const change of ['down', 'up']) ip('link', 'set', TAP, change)
    ip('link', 'set', TAP, 'mtu', String(1200 + 100 * this.#random(4)))
    await until('frames after a change of the link', async () => (await this.daemon.metric(SENT)) > sent)
    count(this.counts, 'link changes', 3)
  }
}

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
}
