import { type WatchedEnd, whereItStands } from '@vring/linux'
import { runPluginCode } from '../plugin-code/run-plugin-code.ts'
import type { ConformanceReport, ConformanceRequest } from './conformance-report.ts'

/** How long the kit may take with one plugin and all its option values, in ms: seconds on a quiet machine. */
export const KIT_LIMIT_MS = 180_000

/**
 * Asks the conformance kit about a plugin, in a process of its own: one that dies or hangs in it fails by that.
 *
 * @param limitMs how long the kit may take, in ms
 */
export async function examinePlugin(request: ConformanceRequest, limitMs: number): Promise<ConformanceReport> {
  const end = await runPluginCode('examine', request, { limitMs })
  if (end.kind === 'returned') return end.value as ConformanceReport
  const { name: plugin, kind } = request
  const failure = failureOf(end, limitMs)
  return { plugin, kind, cases: [{ suite: 'process', title: 'the kit comes to its end', failure }] }
}

function failureOf(end: Exclude<WatchedEnd, { kind: 'returned' }>, limitMs: number): string {
  if (end.kind === 'late') return `hung: no answer within ${Math.round(limitMs / 1000)} s; it ${whereItStands(end)}`
  return end.kind === 'threw' ? `throws: ${end.error}` : end.how
}
