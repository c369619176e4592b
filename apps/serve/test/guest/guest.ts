import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { GuestImage } from './guest-image.ts'
import { Qmp } from './qmp.ts'

/** VRING_QEMU: another one, by its path. */
export const QEMU: string = process.env['VRING_QEMU'] ?? '/usr/bin/qemu-system-x86_64'
/** How long an emulated machine may take to start, and for a command without a limit of its own, ms. */
const LIMIT_MS = 120_000

export interface GuestOptions {
  readonly image: GuestImage
  /** A folder for the console's text. */
  readonly folder: string
  /** The chardev of the vhost-user socket, as in `path=/tmp/vm.sock`. */
  readonly chardev: string
  /** Queue pairs, and processors. Default 1. */
  readonly queues?: number
  /** What the backend is. Default a network card. */
  readonly device?: 'net' | 'disk'
  /** Properties of the device, as in `csum=off`. */
  readonly card?: readonly string[]
  /** More arguments. */
  readonly args?: readonly string[]
  /** More of the kernel's command line. */
  readonly append?: string
}

/**
 * A Linux machine with a virtio network card or disk whose device is a vhost-user backend, emulated by QEMU without
 * KVM. It ends with this process, however that ends.
 */
export class Guest {
  readonly child: ChildProcess
  readonly #folder: string
  readonly #console: string
  #said = ''
  #errors = ''

  private constructor(options: GuestOptions) {
    const { image, folder, chardev, queues = 1, args = [], append = '' } = options
    this.#folder = folder
    this.#console = join(folder, 'console.txt')
    const kernel = ['-kernel', image.kernel, '-initrd', image.initramfs]
    const memory = 'memory-backend-memfd,id=m,size=256M,share=on'
    this.child = spawn(
      'setpriv',
      [
        ...['--pdeathsig', 'KILL', QEMU],
        ...['-accel', 'tcg', '-cpu', 'max', '-smp', String(queues), '-m', '256M', '-nodefaults', '-no-user-config'],
        ...['-display', 'none', '-no-reboot', '-object', memory, ...machine(args)],
        ...[...kernel, '-append', `console=ttyS0 quiet panic=-1 no_timer_check ${append}`],
        ...['-serial', `file:${this.#console}`, '-serial', 'stdio'],
        ...['-qmp', `unix:${join(folder, 'qmp.sock')},server=on,wait=off`],
        ...['-chardev', `socket,id=c,${chardev}`, ...deviceArguments(options)],
      ],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    )
    this.child.stdout!.on('data', (text) => {
      this.#said += text
    })
    this.child.stderr!.on('data', (text) => {
      this.#errors += text
    })
    // It may be killed while it is written to.
    this.child.stdin!.on('error', () => {})
  }

  /** Starts a machine and waits until it takes commands. */
  static async boot(options: GuestOptions, limitMs: number = LIMIT_MS): Promise<Guest> {
    const guest = new Guest(options)
    try {
      await guest.#says(/^ready\n/, 'start', limitMs)
      return guest
    } catch (error) {
      await guest.kill()
      throw error
    }
  }

  /**
   * Runs a command of the guest's shell.
   *
   * @returns what it printed, without the last line's end
   * @throws Error when it fails or takes longer than the limit
   */
  async run(command: string, limitMs: number = LIMIT_MS): Promise<string> {
    this.child.stdin!.write(`${command}\n`)
    const [, output, code] = await this.#says(/^([\s\S]*?)\n?\nexit (\d+)\n/, command, limitMs)
    if (code !== '0') throw new Error(`the guest's ${command}: exit code ${code}\n${output}`)
    return output!.trimEnd()
  }

  /**
   * Moves the machine, as it runs, to another QEMU with another backend, as QEMU's live migration does. What runs in it
   * goes on there.
   *
   * @param options as the machine was started, with another chardev and another folder
   */
  async migrate(options: GuestOptions): Promise<Guest> {
    const uri = `unix:${join(options.folder, 'migration.sock')}`
    const target = new Guest({ ...options, args: [...(options.args ?? []), '-incoming', uri] })
    try {
      const end = performance.now() + LIMIT_MS
      while (!existsSync(uri.slice(5))) await target.#pause('migration', end)
      const qmp = await Qmp.connect(join(this.#folder, 'qmp.sock'))
      await qmp.execute('migrate', { uri })
      for (let status = ''; status !== 'completed'; ) {
        await target.#pause('migration', end)
        status = ((await qmp.execute('query-migrate')) as { status: string }).status
        if (status === 'failed') throw new Error(target.#failure('migration', null))
      }
      qmp.close()
      await this.kill()
      return target
    } catch (error) {
      await target.kill()
      throw error
    }
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    this.child.kill('SIGKILL')
    await once(this.child, 'exit')
  }

  /** Waits until the console begins with a match, and takes it off. */
  async #says(pattern: RegExp, what: string, limitMs: number): Promise<RegExpExecArray> {
    const end = performance.now() + limitMs
    for (;;) {
      const match = pattern.exec(this.#said)
      if (match !== null) {
        this.#said = this.#said.slice(match[0].length)
        return match
      }
      await this.#pause(what, end)
    }
  }

  /** Some milliseconds, if QEMU runs and the end is not reached. */
  async #pause(what: string, end: number): Promise<void> {
    const { exitCode } = this.child
    if (exitCode !== null || performance.now() > end) throw new Error(this.#failure(what, exitCode))
    await new Promise((resolve) => setTimeout(resolve, 10))
  }

  #failure(what: string, exitCode: number | null): string {
    const console = existsSync(this.#console) ? readFileSync(this.#console, 'utf8').slice(-2000) : ''
    const why = exitCode === null ? 'takes too long' : `QEMU ended with code ${exitCode}`
    return `the guest's ${what}: ${why}\n${this.#errors}\n${this.#said}\n${console}`
  }
}

/** Without vectors QEMU 7.2 needs no KVM: it would route interrupts of message type through it. */
function deviceArguments({ device = 'net', queues = 1, card = [] }: GuestOptions): string[] {
  if (device === 'disk')
    return ['-device', ['vhost-user-blk-pci', 'chardev=c', `num-queues=${queues}`, 'vectors=0', ...card].join(',')]
  const properties = ['virtio-net-pci', 'netdev=n', 'vectors=0', ...(queues > 1 ? ['mq=on'] : []), ...card]
  return ['-netdev', `vhost-user,id=n,chardev=c,queues=${queues}`, '-device', properties.join(',')]
}

/** The machine, unless the arguments name another. */
function machine(args: readonly string[]): readonly string[] {
  return args.includes('-machine') ? args : ['-machine', 'q35,memory-backend=m', ...args]
}
