import type { Judgement } from '../judge.ts'
import { count, LEVELS } from './summary.ts'

/** The judgement as JSON: feature sets in hexadecimal, times in ms. */
export function jsonReport({ offer, device, results }: Judgement, version: string): string {
  const summary = Object.fromEntries([
    ...LEVELS.map((level) => [level, count(results, level)]),
    ['all', count(results)],
  ])
  const backend = {
    device,
    features: `0x${offer.features.toString(16)}`,
    protocolFeatures: `0x${offer.protocol.toString(16)}`,
    queues: offer.queues,
    echo: offer.echo,
  }
  const cases = results.map((one) => ({ ...one, durationMs: Math.round(one.durationMs * 10) / 10 }))
  return `${JSON.stringify({ schema: 1, tool: 'vhost-user-conformance', version, backend, summary, cases }, null, 2)}\n`
}
