import { join } from 'node:path'
import { UnixListener, type UnixSocket } from '@vring/linux'
import { DaemonProcess, until } from '../daemon-process.ts'
import { isGone, programOn } from '../leftovers.ts'
import { TestDriver } from '../test-driver.ts'
import { type Actor, type Counts, count } from './actor.ts'
import { DIES_WITH_PARENT } from './watched-daemon.ts'

const TAP = 'vsoak1'
const FRAMES = 2000

/** A driver that listens, and daemons that connect to it, are killed while it sends, and leave nothing. */
export class KilledDaemons implements Actor {
  readonly name = 'killed daemons'
  readonly counts: Counts = {}
  readonly #listener: UnixListener
  #daemon: DaemonProcess | null = null

  constructor(folder: string) {
    this.#listener = UnixListener.listen(join(folder, 'client.sock'))
  }

  async run(ended: () => boolean): Promise<void> {
    while (!ended()) {
      const args = ['--socket', this.#listener.path, '--client', '--backend', `tap:${TAP}`, '--xdp', 'xdp1']
      const daemon = new DaemonProcess(args, { from: 'built', by: DIES_WITH_PARENT })
      this.#daemon = daemon
      const driver = new TestDriver(await this.#accept())
      try {
        await until('frames', () => {
          driver.flood()
          return driver.flooded >= FRAMES
        })
        const program = programOn(TAP)
        await daemon.end('SIGKILL')
        this.#daemon = null
        await until('nothing of a daemon that was killed', () => isGone(TAP, program))
        count(this.counts, 'daemons killed')
        count(this.counts, 'frames sent', driver.flooded)
      } finally {
        driver.close()
      }
    }
  }

  async end(): Promise<string[]> {
    if (this.#daemon !== null) await this.#daemon.end('SIGKILL')
    this.#listener.close()
    return []
  }

  async #accept(): Promise<UnixSocket> {
    let socket: UnixSocket | null = null
    await until('a connection', () => {
      socket = this.#listener.accept()
      return socket !== null
    })
    return socket!
  }
}
