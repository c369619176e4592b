import { isDeepStrictEqual } from 'node:util'
import { missingProtection, ServiceNotifier } from '@vring/linux'
import type { DaemonConfig, ServeConfig } from '../config/serve-config.ts'
import { type Log, logOf } from '../log/log.ts'
import { KernelTrace } from '../programs/kernel-trace.ts'
import { attempt, ServeError, startError, usageError } from '../serve-error.ts'
import type { Snapshot } from '../status/snapshot.ts'
import { ControlServer } from './control-server.ts'
import { RunningDevice } from './running-device.ts'
import { StatusServer } from './status-server.ts'
import { becomeUser, systemUser } from './user-names.ts'

/** The devices of a daemon, each in a worker of its own. */
export class Daemon {
  readonly #log: Log
  readonly #devices = new Map<string, RunningDevice>()
  readonly #onEnd: (name: string, outcome: Promise<Snapshot>) => void
  readonly #traced: boolean
  /** undefined: nothing asked for it. */
  #trace: KernelTrace | null | undefined
  #stopping = false
  /** One change after the other. */
  #changes: Promise<unknown> = Promise.resolve()

  /**
   * @param traced whether the log shows what programs in the kernel print
   * @param onEnd a device ended by itself
   */
  constructor(log: Log, traced: boolean, onEnd: (name: string, outcome: Promise<Snapshot>) => void) {
    this.#log = log
    this.#traced = traced
    this.#onEnd = onEnd
  }

  /** In the order in which they were added. */
  get devices(): readonly RunningDevice[] {
    return [...this.#devices.values()]
  }

  /** @throws ServeError naming the device */
  device(name: string): RunningDevice {
    const found = this.#devices.get(name)
    if (found !== undefined) return found
    throw usageError(
      'device',
      `${JSON.stringify(name)} is not served; served: ${[...this.#devices.keys()].join(', ') || 'none'}`,
    )
  }

  /** Adds a device; the others are not touched. @throws ServeError */
  add(config: ServeConfig): Promise<void> {
    return this.#change(async () => {
      if (this.#devices.has(config.name)) throw usageError('device', `${config.name} is served already`)
      await this.#start(config)
    })
  }

  /** Ends a device; the others are not touched. @throws ServeError */
  remove(name: string): Promise<void> {
    return this.#change(() => this.#end(this.device(name)))
  }

  /**
   * Makes the devices those of another configuration: what is as it was goes on, what is not is begun again.
   *
   * @returns what could not be started, one line each
   */
  reload(configs: readonly ServeConfig[]): Promise<string[]> {
    return this.#change(async () => {
      const wanted = new Map(configs.map((config) => [config.name, config]))
      for (const device of this.devices)
        if (!isDeepStrictEqual(wanted.get(device.config.name), device.config)) await this.#end(device)
      const failures: string[] = []
      for (const config of configs) {
        if (this.#devices.has(config.name)) continue
        try {
          await this.#start(config)
        } catch (error) {
          failures.push(`${config.name}: ${startError('device', error).message}`)
        }
      }
      return failures
    })
  }

  stop(): void {
    this.#stopping = true
    for (const device of this.devices) device.stop()
  }

  /** Ends all devices. */
  async close(): Promise<void> {
    await this.#changes.catch(() => {})
    for (const device of this.devices) await this.#end(device)
    this.#trace?.close()
    this.#trace = undefined
  }

  #change<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#changes.then(work, work)
    this.#changes = next.catch(() => {})
    return next
  }

  async #start(config: ServeConfig): Promise<void> {
    if (this.#traced && this.#trace === undefined && config.xdp !== null && config.backend.kind === 'tap')
      this.#trace = KernelTrace.open(this.#log)
    const device = await RunningDevice.start(config, logOf(this.#log, config.name))
    this.#devices.set(config.name, device)
    const ended = (): void => {
      // One that is the only one is waited for.
      if (this.#devices.get(config.name) === device && (config.name === '' || !this.#stopping))
        this.#onEnd(config.name, device.done)
    }
    device.done.then(ended, ended)
  }

  async #end(device: RunningDevice): Promise<void> {
    this.#devices.delete(device.config.name)
    await device.close()
  }
}

export interface DaemonOptions {
  /** Reads the configuration again, for SIGHUP; absent: it can't change. */
  readonly reread?: () => Promise<DaemonConfig>
  /** Registers what SIGHUP asks for; returns what takes it back. */
  readonly onReload?: (reload: () => void) => () => void
  /** Where NOTIFY_SOCKET and WATCHDOG_USEC stand; default none. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/**
 * Opens the devices, starts workers, status server and control socket, and serves until `stop` is aborted or a device fails.
 * Whatever happens, sockets, devices, descriptors and servers are given back.
 *
 * @param log takes lines for people
 * @throws ServeError
 */
export async function runDaemon(
  config: DaemonConfig,
  stop: AbortSignal,
  log: Log,
  options: DaemonOptions = {},
): Promise<void> {
  const user = config.user === null ? null : systemUser('--user', config.user)
  const notifier = new ServiceNotifier(options.env ?? {})
  const closing: (() => unknown)[] = []
  let end: (outcome: Promise<Snapshot> | null) => void = () => {}
  const ended = new Promise<Snapshot | null>((resolve) => {
    end = resolve
  })
  // It may be left unawaited.
  ended.catch(() => {})
  const single = config.devices.length === 1 && config.devices[0]!.name === ''
  const daemon = new Daemon(log, config.log.level === 'debug', (name, outcome) => {
    if (single) end(outcome)
    else
      outcome.then(
        () => log(`${name}: ended`, 'warn'),
        (error: unknown) => log(`${name}: ended: ${error instanceof Error ? error.message : error}`, 'error'),
      )
  })
  closing.push(() => daemon.close())
  try {
    const missing = missingProtection()
    if (missing !== null) log(missing, 'warn')
    const onStop = (): void => {
      notifier.stopping()
      daemon.stop()
      // Stopped before it had any: none will end.
      if (!single || daemon.devices.length === 0) end(null)
    }
    let started = (): void => {}
    const begun = new Promise<void>((resolve) => {
      started = resolve
    })
    const reread = (): Promise<readonly string[]> => reload(daemon, config, notifier, log, options)
    // Before a driver can connect: who has seen a device's socket finds the page and the commands.
    if (config.metrics !== null) {
      const status = await StatusServer.start(config.metrics, daemon, log)
      closing.push(() => status.close())
      log(`status and metrics on ${status.url}`)
    }
    if (config.control !== null) {
      const control = await ControlServer.start(config.control, daemon, reread, begun)
      closing.push(() => control.close())
      log(`commands on ${config.control}`)
    }
    const failures: ServeError[] = []
    for (const one of config.devices) {
      if (stop.aborted) break
      try {
        await daemon.add(one)
      } catch (error) {
        const failure = startError('device', error)
        if (single) throw failure
        logOf(log, one.name)(failure.message, 'error')
        failures.push(failure)
      }
    }
    // Of several, those that can be served are.
    if (failures.length === config.devices.length)
      throw new ServeError(failures[0]!.exitCode, 'none of the devices could be started')
    started()
    stop.addEventListener('abort', onStop)
    closing.push(() => stop.removeEventListener('abort', onStop))
    if (user !== null) become(user, log)
    const forget = options.onReload?.(() => void reread())
    if (forget !== undefined) closing.push(forget)
    closing.push(watchdog(notifier, daemon))
    if (stop.aborted) onStop()
    notifier.ready(served(daemon))
    const last = await ended
    log(last === null ? 'stopped' : `stopped; ${summary(last)}`)
  } finally {
    for (const one of closing.reverse()) await one()
  }
}

function become(user: ReturnType<typeof systemUser>, log: Log): void {
  attempt(`--user ${user.name}`, () => becomeUser(user))
  log(`going on as user ${user.name}`)
}

/** What can't be read or started is said; what is served already goes on. */
async function reload(
  daemon: Daemon,
  begun: DaemonConfig,
  notifier: ServiceNotifier,
  log: Log,
  { reread }: DaemonOptions,
): Promise<readonly string[]> {
  if (reread === undefined) return ['there is no configuration file to read again']
  notifier.reloading()
  let failures: readonly string[]
  let said = 'read the configuration again'
  try {
    const { devices, ...others } = await reread()
    for (const [name, value] of Object.entries(others))
      if (!isDeepStrictEqual(value, begun[name as keyof typeof others]))
        log(`${name} is another one in the configuration now: that is for the next start`, 'warn')
    failures = await daemon.reload(devices)
  } catch (error) {
    failures = [error instanceof Error ? error.message : String(error)]
    said = 'the configuration stays as it was'
  }
  for (const line of failures) log(line, 'error')
  log(`${said}: ${served(daemon)}`)
  notifier.ready(served(daemon))
  return failures
}

function served({ devices }: Daemon): string {
  return `serving ${devices.length} device${devices.length === 1 ? '' : 's'}`
}

/** Says that all is well as long as every worker answers. */
function watchdog(notifier: ServiceNotifier, daemon: Daemon): () => void {
  const { watchdogMs } = notifier
  if (watchdogMs === null) return () => {}
  const timer = setInterval(() => {
    Promise.all(daemon.devices.map((device) => device.observe())).then(
      () => notifier.alive(),
      // Nothing is said: the manager begins it again.
      () => {},
    )
  }, watchdogMs)
  return () => clearInterval(timer)
}

function summary({ pairs, sessions }: Snapshot): string {
  const sum = (field: 'txFrames' | 'rxFrames'): number => pairs.reduce((total, pair) => total + pair[field], 0)
  return `${sessions} session${sessions === 1 ? '' : 's'}, ${sum('txFrames')} frames from drivers, ${sum('rxFrames')} to drivers`
}
