import { ForkedProcess } from './forked-process.ts'
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
/**
 * Runs code of others in a process of its own, which ends with it. Code that loops, waits, exits or crashes does so
 * there, and is told by where it stood.
 */
export async function runWatched(
  call: WatchedCall,
  { limitMs, stdout = 'ignore' }: WatchedOptions,
): Promise<WatchedEnd> {
  const sources = import.meta.url.endsWith('.ts')
  const entry = new URL(sources ? './watched-process.ts' : './watched-process.js', import.meta.url)
  const execArgv = process.execArgv.filter((flag) => !flag.startsWith('--inspect'))
  if (sources && !execArgv.includes('tsx')) execArgv.push('--import', 'tsx', '--conditions=@vring/source')
  const forked = new ForkedProcess(entry, { execArgv, stdout })
  const request: WatchedRequest = { call, limitMs }
  const asked = await forked.ask<WatchedEnd>(request, limitMs + ANSWER_PATIENCE_MS)
  // With whatever it left running.
  forked.kill()
  const { how, lastWords } = await forked.ended
  const end: WatchedEnd =
    asked.kind === 'answered' ? asked.answer : { kind: 'ended', how: `its process ${how}`, explained: false }
  if (end.kind !== 'ended' || end.explained || lastWords === '') return end
  return { ...end, how: `${end.how}: ${lastWords}` }
}

/** In words: what a module or method that is late does. */
export function whereItStands({ frames, waits }: ThreadStack): string {
  const [innermost, ...callers] = frames
  if (innermost !== undefined) return `stands in ${[innermost, ...callers].join(', called from ')}`
  return waits ? 'waits for something' : 'is in a call of the operating system'
}
