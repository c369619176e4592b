import { join } from 'node:path'
import { RawFrontend } from '../raw-frontend.ts'
import { type Actor, type Counts, count, randomStream, sleep } from './actor.ts'
import { ATTACKS } from './attacks.ts'
import { WatchedDaemon } from './watched-daemon.ts'

/** How long a session goes on beside each attack, ms. */
const SESSION_MS = 700

/**
 * A daemon that gives frames back, and drivers one after the other: pair 1 sends frames and compares each that comes back,
 * while something is done to pair 0 or to the session. Every session that is ended was meant to be.
 */
export class Neighbours implements Actor {
  readonly name = 'neighbours'
  readonly counts: Counts = {}
  /** When each echo was back, and how long that took, ms. */
  readonly echoes: { readonly at: number; readonly ms: number }[] = []
  readonly daemon: WatchedDaemon
  readonly #random: (limit: number) => number

  private constructor(daemon: WatchedDaemon, seed: number) {
    this.daemon = daemon
    this.#random = randomStream(seed)
  }

  static async start(folder: string, seed: number): Promise<Neighbours> {
    const args = ['--backend', 'loopback', '--queues', '2']
    return new Neighbours(await WatchedDaemon.start('loopback', join(folder, 'loopback.sock'), args), seed)
  }

  async run(ended: () => boolean): Promise<void> {
    for (let session = 0; !ended(); session++) {
      // In turn at first, so that a short soak has all of them.
      const attack = ATTACKS[session < ATTACKS.length ? session : this.#random(ATTACKS.length)]!
      const driver = await RawFrontend.negotiate(this.daemon.socket, { memfd: { sealed: false } })
      try {
        await driver.start(4)
        await this.#echo(driver)
        await attack.run(driver, this.#random)
        count(this.counts, attack.name)
        if (attack.ends) await driver.hungUp()
        else {
          const end = performance.now() + SESSION_MS
          do {
            await this.#echo(driver)
            await sleep(1)
          } while (performance.now() < end)
        }
      } catch (error) {
        throw new Error(`${attack.name}: ${error instanceof Error ? error.message : error}`, { cause: error })
      } finally {
        driver.close()
      }
      if (session === ATTACKS.length) await this.daemon.look()
    }
  }

  async end(): Promise<string[]> {
    return this.daemon.end()
  }

  async #echo(driver: RawFrontend): Promise<void> {
    const ms = await driver.echo(1, this.#random(256))
    this.echoes.push({ at: performance.now(), ms })
  }
}
