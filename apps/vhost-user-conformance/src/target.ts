import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isVringError } from '@vring/layout'
import { systemErrnoOf, UnixSocket } from '@vring/linux'
import { CaseFailure, fail } from './case.ts'
import { pause } from './driver/pause.ts'
import { missingError, usageError } from './judge-error.ts'
import { Connection, PATIENCE_MS } from './wire/connection.ts'

/** How long a back-end may take to start, in ms. */
const START_MS = 20_000
/** How long it may take to end after SIGTERM, in ms. */
const END_MS = 3000

/** Errors of connect(2) that say that no process accepts there now, for people. */
const NOT_ACCEPTED: Readonly<Record<string, string>> = {
  ENOENT: 'nothing is at this path',
  ECONNREFUSED: 'no process listens: an old socket, or another file',
  EAGAIN: 'too many connections wait',
}

export interface TargetOptions {
  readonly socket: string
  /** Shell command that starts the back-end; `{socket}` stands for the path. Null: it runs already. */
  readonly spawn: string | null
  /** How long it may take for anything, in ms. Default 2000. */
  readonly patienceMs?: number
}

/** The back-end that is judged: where it listens, and its process if it is ours. */
export class Target {
  readonly socket: string
  readonly patienceMs: number
  readonly #command: string | null
  readonly #folder: string | null
  #child: ChildProcess | null = null
  /** Why it did not answer when it was asked last. */
  #silence = ''

  constructor({ socket, spawn: command, patienceMs = PATIENCE_MS }: TargetOptions) {
    this.socket = socket
    this.patienceMs = patienceMs
    this.#command = command?.replaceAll('{socket}', socket) ?? null
    this.#folder = command === null ? null : mkdtempSync(join(tmpdir(), 'vhost-user-conformance-'))
  }

  /** Its process is ours, and can be started again. */
  get isOurs(): boolean {
    return this.#command !== null
  }

  /**
   * Starts it where that is asked for, and waits until it answers.
   *
   * @throws JudgeError with exit code 4, or 2 for a path that no socket can have
   */
  async start(): Promise<void> {
    if (this.#command !== null) this.#spawn(this.#command)
    const end = performance.now() + (this.isOurs ? START_MS : this.patienceMs)
    for (;;) {
      const ended = this.ended
      if (ended !== null)
        throw missingError(`--spawn: the back-end ended (${ended}) before it answered${this.#lastLines()}`)
      if (await this.answers()) return
      if (performance.now() > end)
        throw missingError(`${this.socket}: no back-end answers GET_FEATURES here: ${this.#silence}`)
      await sleep(20)
    }
  }

  /** How its process ended, or null while it runs or is not ours. */
  get ended(): string | null {
    const child = this.#child
    if (child === null || (child.exitCode === null && child.signalCode === null)) return null
    return child.signalCode ?? `exit code ${child.exitCode}`
  }

  /**
   * A new connection; a back-end that is about to listen again is waited for.
   *
   * @throws CaseFailure when no process accepts
   */
  connect(timeoutMs: number = this.patienceMs): Connection {
    const end = performance.now() + timeoutMs
    for (;;) {
      try {
        return new Connection(UnixSocket.connect(this.socket), this.patienceMs)
      } catch (error) {
        if (!isVringError(error)) throw error
        const errno = systemErrnoOf(error) ?? ''
        if (error.code !== 'ERR_SYSTEM') throw usageError('--socket', error.message)
        const reason = NOT_ACCEPTED[errno]
        if (reason === undefined) throw missingError(`${this.socket}: ${error.message}`)
        if (performance.now() > end) fail(`no process accepts a connection (${errno}: ${reason})`)
        pause(2)
      }
    }
  }

  /** Does it answer GET_FEATURES on a new connection? */
  async answers(): Promise<boolean> {
    // Lets Node see that the process has ended.
    await sleep(0)
    if (this.ended !== null) return false
    let connection: Connection | null = null
    try {
      connection = this.connect(0)
      connection.askU64('GET_FEATURES')
      return true
    } catch (error) {
      if (!(error instanceof CaseFailure)) throw error
      this.#silence = error.message
      await sleep(5)
      return false
    } finally {
      connection?.close()
    }
  }

  /** Waits for it to answer after a case, whatever that was; false: it does not any more. */
  async recovers(): Promise<boolean> {
    const end = performance.now() + this.patienceMs
    for (;;) {
      if (await this.answers()) return true
      if (this.ended !== null || performance.now() > end) return false
    }
  }

  /** Ends what {@link start} started. */
  async stop(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (child === null || child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    // Its own process group: a shell may stand between.
    signalGroup(child.pid, 'SIGTERM')
    if (await Promise.race([ended.then(() => true), sleep(END_MS, false, { ref: false })])) return
    signalGroup(child.pid, 'SIGKILL')
    await ended
  }

  /** Starts it again after it ended or hung. */
  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  async close(): Promise<void> {
    await this.stop()
    if (this.#folder !== null) rmSync(this.#folder, { recursive: true, force: true })
  }

  #spawn(command: string): void {
    rmSync(this.socket, { force: true })
    const log = openSync(this.#logPath, 'w')
    // A file and not a pipe: a pipe would not be read while a case runs. Standard input stays open: testpmd ends with it.
    this.#child = spawn('/bin/sh', ['-c', command], { stdio: ['pipe', log, log], detached: true })
    closeSync(log)
  }

  get #logPath(): string {
    return join(this.#folder!, 'output')
  }

  #lastLines(): string {
    const text = this.#folder !== null && existsSync(this.#logPath) ? readFileSync(this.#logPath, 'utf8').trim() : ''
    return text === '' ? '' : `:\n${text.split('\n').slice(-5).join('\n')}`
  }
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch {
    // It ended meanwhile.
  }
}
