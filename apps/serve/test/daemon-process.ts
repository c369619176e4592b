import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const CLI = { sources: '../src/cli.ts', built: '../dist/cli.js' }
const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url))
/** How long a daemon may take for anything, ms. */
const LIMIT_MS = 60_000

export interface DaemonProcessOptions {
  /** From the sources, or what was built of them. Default `sources`. */
  readonly from?: keyof typeof CLI
  /** Where it runs: plugins are looked up from there. Default: the repository. */
  readonly cwd?: string
  /** A command that runs the command line after it: `setpriv --bounding-set -net_admin`. */
  readonly by?: readonly string[]
  /** Descriptors that it gets as 3 and following. */
  readonly fds?: readonly number[]
  /** More of the environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Modules that Node loads first. */
  readonly imports?: readonly string[]
}

/** A vring-serve in a process of its own. */
export class DaemonProcess {
  readonly child: ChildProcess
  /** Everything that it wrote to standard error. */
  output = ''
  readonly #exited: Promise<unknown[]>

  constructor(
    args: readonly string[],
    { from = 'sources', cwd = REPOSITORY, by = [], imports = [], fds = [], env = {} }: DaemonProcessOptions = {},
  ) {
    const flags = from === 'sources' ? ['--import', 'tsx', '--conditions=@vring/source'] : []
    const first = imports.flatMap((path) => ['--import', path])
    const cli = fileURLToPath(new URL(CLI[from], import.meta.url))
    const [command, ...rest] = [...by, process.execPath, ...flags, ...first, cli, ...args]
    this.child = spawn(command!, rest, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe', ...fds],
    })
    this.#exited = once(this.child, 'exit')
    this.child.stderr!.on('data', (text) => {
      this.output += text
    })
  }

  /** Waits until it has said something that matches. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    const end = performance.now() + LIMIT_MS
    for (;;) {
      const match = pattern.exec(this.output)
      if (match !== null) return match
      if (this.child.exitCode !== null || performance.now() > end)
        throw new Error(`vring-serve did not say ${pattern} (exit code ${this.child.exitCode}):\n${this.output}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  /** Waits until it listens or connects. */
  async ready(): Promise<void> {
    await this.says(/(listening on|connecting to) .+\n/)
  }

  /** The text of a page of its status server. */
  async page(path: string): Promise<string> {
    const [, url] = await this.says(/metrics on (\S+)\n/)
    return (await fetch(`${url}${path}`)).text()
  }

  /** One metric by name and labels; NaN when it is not there. */
  async metric(name: string): Promise<number> {
    const text = await this.page('metrics')
    const line = text.split('\n').find((one) => one.startsWith(`${name} `))
    return line === undefined ? Number.NaN : Number(line.slice(name.length + 1))
  }

  /** Sends a signal and waits for the end; the exit code, or the signal that ended it. */
  async end(signal: NodeJS.Signals): Promise<number | string> {
    this.child.kill(signal)
    return this.exit()
  }

  /** Waits for the end. */
  async exit(): Promise<number | string> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), LIMIT_MS)
    const [code, signal] = (await this.#exited) as [number | null, string | null]
    clearTimeout(timer)
    return code ?? signal!
  }
}

/** Waits until a condition holds. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = LIMIT_MS,
): Promise<void> {
  const end = performance.now() + limitMs
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${limitMs / 1000} s`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
