import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { giveFile, takeFile } from '../guest/file-exchange.ts'
import { Guest, QEMU } from '../guest/guest.ts'
import { BUSYBOX, buildGuestImage, type GuestImage, guestKernel } from '../guest/guest-image.ts'
import { type Actor, type Counts, count } from './actor.ts'
import { WatchedDaemon } from './watched-daemon.ts'

const TAP = 'vsoak2'
const HOST = '192.0.2.1'
const ADDRESS = '192.0.2.2'
const FILE_BYTES = 2 ** 20
/** Files that a guest gets and gives back before it is killed. */
const FILES = 8
const LIMIT_MS = 300_000
const BOOT_MS = 180_000

/** Why no guest can be run here, or null. */
export const guestsMissing: string | null =
  (existsSync(QEMU) ? null : 'qemu-system-x86_64 (Debian package qemu-system-x86) is missing') ??
  (guestKernel() === null ? 'a kernel (Debian package linux-image-cloud-amd64) is missing' : null) ??
  (existsSync(BUSYBOX) ? null : 'busybox (Debian package busybox-static) is missing')

/** Linux guests under QEMU: files go to one over TCP and come back the same, its link goes down and up, and it is killed. */
export class Guests implements Actor {
  readonly name = 'guests'
  readonly counts: Counts = {}
  readonly daemon: WatchedDaemon
  readonly #folder: string
  readonly #image: GuestImage
  #guest: Guest | null = null

  private constructor(daemon: WatchedDaemon, folder: string) {
    this.daemon = daemon
    this.#folder = folder
    this.#image = buildGuestImage(folder)
  }

  static async start(folder: string): Promise<Guests> {
    const daemon = await WatchedDaemon.start('guest', join(folder, 'guest.sock'), ['--backend', `tap:${TAP}`])
    ip('addr', 'add', `${HOST}/24`, 'dev', TAP)
    return new Guests(daemon, folder)
  }

  async run(ended: () => boolean): Promise<void> {
    while (!ended()) {
      const guest = await this.#boot()
      if (guest === null) continue
      await guest.run(`ip link set eth0 up && ip addr add ${ADDRESS}/24 dev eth0`)
      for (let i = 0; i < FILES && !ended(); i++) {
        await this.#exchange(guest)
        for (const change of ['down', 'up']) ip('link', 'set', TAP, change)
        count(this.counts, 'link changes', 2)
      }
      await guest.kill()
      this.#guest = null
      count(this.counts, 'guests killed')
      if (this.counts['guests killed'] === 1) await this.daemon.look()
    }
  }

  /** An emulated machine that does not start in time, on a host that is busy, is counted. */
  async #boot(): Promise<Guest | null> {
    try {
      // Where emulated timers are late, the kernel's test of the first one stops it.
      const append = 'no_timer_check'
      const chardev = `path=${this.daemon.socket}`
      this.#guest = await Guest.boot({ image: this.#image, folder: this.#folder, chardev, append }, BOOT_MS)
      count(this.counts, 'guests started')
      return this.#guest
    } catch {
      count(this.counts, 'guests that did not start in time')
      return null
    }
  }

  async end(): Promise<string[]> {
    await this.#guest?.kill()
    return this.daemon.end()
  }

  /** A file of random bytes to the guest and back, its SHA-256 the same on both sides. */
  async #exchange(guest: Guest): Promise<void> {
    const file = randomBytes(FILE_BYTES)
    const sum = createHash('sha256').update(file).digest('hex')
    const give = await giveFile(HOST, file)
    await guest.run(`nc ${HOST} ${give.port} >/tmp/file`, LIMIT_MS)
    await give.done
    if (!(await guest.run('sha256sum </tmp/file')).includes(sum)) throw new Error('a file reached the guest changed')
    const take = await takeFile(HOST)
    await guest.run(`nc ${HOST} ${take.port} </tmp/file`, LIMIT_MS)
    if ((await take.done) !== sum) throw new Error('a file came back changed')
    count(this.counts, 'files there and back')
  }
}

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
}
