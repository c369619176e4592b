import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { bundled } from './bundle.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** Wall-clock ms. */
  readonly elapsed: number
}

export interface CliOptions {
  readonly interruptAfterMs?: number
  readonly cwd?: string
  readonly uid?: number
  readonly tmp?: string
  readonly env?: Readonly<Record<string, string>>
  /** How long standard output is left unread; `never`: it is closed. */
  readonly readAfterMs?: number | 'never'
  /** Started beside the program, which it may send signals to. */
  readonly beside?: (program: ChildProcess) => Promise<void>
}

/** Program and arguments that run vring-bench as its sources are. */
export function commandLine(args: readonly string[]): string[] {
  return [process.execPath, bundled('cli.js'), ...args]
}

/** Runs vring-bench as its sources are, as a process of its own. */
export function vringBench(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const started = performance.now()
  const [program, ...rest] = commandLine(args)
  const child = spawn(program!, rest, {
    cwd: options.cwd ?? ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      NO_COLOR: '1',
      ...options.env,
      ...(options.tmp === undefined ? {} : { TMPDIR: options.tmp }),
    },
    ...(options.uid === undefined ? {} : { uid: options.uid }),
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (text: Buffer) => {
    stdout += text.toString()
  })
  if (options.readAfterMs === 'never') child.stdout.destroy()
  else if (options.readAfterMs !== undefined) {
    child.stdout.pause()
    setTimeout(() => child.stdout.resume(), options.readAfterMs)
  }
  child.stderr.on('data', (text: Buffer) => {
    stderr += text.toString()
  })
  const timer =
    options.interruptAfterMs === undefined ? null : setTimeout(() => child.kill('SIGINT'), options.interruptAfterMs)
  const closed = new Promise<CliResult>((resolve) => {
    child.on('close', (code) => {
      if (timer !== null) clearTimeout(timer)
      resolve({ code, stdout, stderr, elapsed: performance.now() - started })
    })
  })
  return Promise.all([closed, options.beside?.(child)]).then(([result]) => result)
}
