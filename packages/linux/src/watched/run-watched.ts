import { fork, type StdioOptions } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ThreadStack } from './thread-stack.ts'

/** A module of others to import, and which of its exports to call. */
export interface WatchedCall {
  /** URL of the module. */
  readonly module: string
  /** A function that it exports; null: it is only imported. */
  readonly name: string | null
  /** What the function is given. Plain data, as its result: both pass between processes. */
  readonly argument: unknown
}

/** What its process is told. */
export interface WatchedRequest {
  readonly call: WatchedCall
  readonly limitMs: number
}

/** What became of it. */
export type WatchedEnd =
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'threw'; readonly error: string }
  | ({ readonly kind: 'late' } & ThreadStack)
  /** `explained`: standard error has nothing to add. */
  | { readonly kind: 'ended'; readonly how: string; readonly explained: boolean }

export interface WatchedOptions {
  /** How long it may take from the beginning of the import, in ms. */
  readonly limitMs: number
  /** Standard output of it: `ignore`, or `inherit`. Default `ignore`. */
  readonly stdout?: 'ignore' | 'inherit'
}

/** How much later than its limit a process may answer, in ms: it starts, and asks V8 where its thread stands. */
const ANSWER_PATIENCE_MS = 30_000
/** Characters of standard error that are kept. */
const WORDS = 2000

/**
 * Runs code of others in a process of its own, which ends with it: code that loops, waits, exits or crashes does so there, and is
 * told by where it stood.
 */
export function runWatched(call: WatchedCall, { limitMs, stdout = 'ignore' }: WatchedOptions): Promise<WatchedEnd> {
  const sources = import.meta.url.endsWith('.ts')
  const entry = fileURLToPath(new URL(sources ? './watched-process.ts' : './watched-process.js', import.meta.url))
  const stdio: StdioOptions = ['ignore', stdout, 'pipe', 'ipc']
  const execArgv = process.execArgv.filter((flag) => !flag.startsWith('--inspect'))
  if (sources && !execArgv.includes('tsx')) execArgv.push('--import', 'tsx', '--conditions=@vring/source')
  const child = fork(entry, { stdio, execArgv, serialization: 'advanced' })
  let words = ''
  child.stderr!.on('data', (text: Buffer) => {
    words = (words + text.toString()).slice(-WORDS)
  })
  return new Promise((resolve) => {
    let end: WatchedEnd | null = null
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs + ANSWER_PATIENCE_MS)
    child.once('message', (answer: WatchedEnd) => {
      end = answer
      // Whatever it left running.
      child.kill('SIGKILL')
    })
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      const died = signal === null ? `its process exited with code ${code}` : `its process was killed by ${signal}`
      const reached: WatchedEnd = end ?? { kind: 'ended', how: died, explained: false }
      const last = lastWords(words)
      if (reached.kind !== 'ended' || reached.explained || last === '') resolve(reached)
      else resolve({ ...reached, how: `${reached.how}: ${last}` })
    })
    // One that can't be written to is on its way out.
    child.on('error', () => {})
    child.send({ call, limitMs } satisfies WatchedRequest, () => {})
  })
}

/** The line of a dead process's output that says most: its last error, else its last line. */
export function lastWords(output: string): string {
  const lines = output.trim().split('\n')
  return (lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? '').trim()
}

/** In words: what a module or method that is late does. */
export function whereItStands({ frames, waits }: ThreadStack): string {
  const [innermost, ...callers] = frames
  if (innermost !== undefined) return `stands in ${[innermost, ...callers].join(', called from ')}`
  return waits ? 'waits for something' : 'is in a call of the operating system'
}
