import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { dirname } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { BenchError, missingError } from '../bench-error.ts'
import { EXIT_INTERNAL } from '../exit-codes.ts'
import { findProgram } from '../system/privileges.ts'
import { LOOPBACK_BURSTS, startsByCommand, type TestpmdOptions, testpmdArguments } from './testpmd-arguments.ts'
import { parseDpdkVersion, parseNegotiated } from './testpmd-output.ts'

/**
 * Where dpdk-testpmd is.
 *
 * @throws BenchError with exit code 4 that names the package
 */
export function findTestpmd(): string {
  const found = findProgram('dpdk-testpmd')
  if (found === null)
    throw missingError('dpdk-testpmd', 'install the Debian package dpdk-dev (apt-get install dpdk-dev)')
  return found
}

/** A running testpmd: commands in, text out. Ends when {@link stop} says so, or with this process. */
export class TestpmdProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #role: string
  #output = ''
  #features: string[] | null = null
  #exited: string | null = null
  #stopped = false

  constructor(options: TestpmdOptions) {
    this.#role = options.role
    // What it says goes through stdio, which holds it back in a pipe: stdbuf (coreutils) makes it write lines. A
    // process that is stopped reads no end of its input: setpriv (util-linux) has the kernel end it with this one.
    const command = ['--pdeathsig', 'KILL', 'stdbuf', '-oL', options.binary, ...testpmdArguments(options)]
    this.#child = spawn('setpriv', command, {
      // It stops at the end of its input.
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, RUNTIME_DIRECTORY: dirname(options.socket) },
      // Ctrl-C is this process's affair.
      detached: true,
    })
    const keep = (text: Buffer): void => {
      this.#output = (this.#output + text.toString()).slice(-64 * 1024)
      this.#features = parseNegotiated(this.#output) ?? this.#features
    }
    this.#child.stdout.on('data', keep)
    this.#child.stderr.on('data', keep)
    this.#child.stdin.on('error', () => {})
    this.#child.once('error', (error) => {
      this.#exited = error.message
    })
    // At the end of its input it takes a second to put its devices away, and ends only then.
    const kill = (): void => void this.#child.kill('SIGKILL')
    process.once('exit', kill)
    this.#child.once('exit', (code, signal) => {
      process.off('exit', kill)
      this.#exited = signal ?? `exit code ${code}`
    })
    // It waits in the pipe until testpmd reads it.
    if (startsByCommand(options)) this.command(`start tx_first ${LOOPBACK_BURSTS}`)
  }

  get version(): string {
    return parseDpdkVersion(this.#output)
  }

  /** Names of the features that its backend negotiated; null: not yet. */
  get features(): string[] | null {
    return this.#features
  }

  /** Has it gone? */
  get exited(): string | null {
    return this.#exited
  }

  /** Calls back when it ends without having been stopped, with why and its last words. */
  onEnd(listener: (failure: BenchError) => void): void {
    this.#child.once('close', () => {
      if (!this.#stopped) listener(this.#failure(`ended (${this.#exited})`))
    })
  }

  /** Types a command at its prompt. */
  command(line: string): void {
    this.#child.stdin.write(`${line}\n`)
  }

  /** Stops it where it is (SIGSTOP), all of its threads. */
  pause(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  /**
   * Waits for a condition while it runs.
   *
   * @throws BenchError when it ends, or when the time is over
   */
  async until(what: string, limitMs: number, condition: () => boolean): Promise<void> {
    const end = performance.now() + limitMs
    while (!condition()) {
      if (this.#exited !== null) throw this.#failure(`ended (${this.#exited})`)
      if (performance.now() > end) throw this.#failure(`no ${what} within ${limitMs / 1000} s`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  /**
   * What `work` gives, if it is still running.
   *
   * @throws BenchError when it ended, with its last words instead of what that did to `work`
   */
  async during<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (this.#exited !== null) throw this.#failure(`ended (${this.#exited})`)
      throw error
    }
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.#stopped = true
    if (this.#exited !== null) return
    const gone = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()))
    this.#child.kill('SIGKILL')
    await gone
  }

  #failure(problem: string): BenchError {
    const words = this.#output.trim().split('\n').at(-1)?.trim() ?? ''
    return new BenchError(
      EXIT_INTERNAL,
      `testpmd (${this.#role}): ${problem}${words === '' ? '' : `; it said: ${words}`}`,
    )
  }
}
