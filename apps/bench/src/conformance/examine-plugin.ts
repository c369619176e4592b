import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { lastWords } from '../last-words.ts'
import type { ConformanceReport, ConformanceRequest } from './conformance-report.ts'

/** How long the kit may take with one plugin and all its option values, in ms: seconds on a quiet machine. */
export const KIT_LIMIT_MS = 180_000

/**
 * Asks the conformance kit about a plugin, in a process of its own: one that dies or hangs in it fails by that.
 *
 * @param limitMs how long the kit may take, in ms
 */
export function examinePlugin(request: ConformanceRequest, limitMs: number): Promise<ConformanceReport> {
  const entry = import.meta.url.endsWith('.ts') ? './conformance-process.ts' : './conformance-process.js'
  const child = fork(fileURLToPath(new URL(entry, import.meta.url)), {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    timeout: limitMs,
    killSignal: 'SIGKILL',
  })
  const { name: plugin, kind } = request
  let words = ''
  child.stderr?.on('data', (text: Buffer) => {
    words = (words + text.toString()).slice(-2000)
  })
  return new Promise((resolve) => {
    let report: ConformanceReport | null = null
    child.once('message', (answer: ConformanceReport) => {
      report = answer
      // Whatever the plugin left running.
      child.kill('SIGKILL')
    })
    child.once('close', (code, signal) => {
      const how = signal === null ? `exited with code ${code}` : `was killed by ${signal}`
      const failure = child.killed
        ? `hung: no answer within ${Math.round(limitMs / 1000)} s`
        : [`its process ${how}`, lastWords(words)].filter((part) => part !== '').join(': ')
      resolve(report ?? { plugin, kind, cases: [{ suite: 'process', title: 'the kit comes to its end', failure }] })
    })
    // One that can't be written to is on its way out.
    child.on('error', () => {})
    child.send(request, () => {})
  })
}
