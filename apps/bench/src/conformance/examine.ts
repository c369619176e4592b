import { runConformance } from '@vring/conformance'
import { type NetSubject, netCasesOf, runNetConformance } from '@vring/net-conformance'
import type { BackendPlugin } from '@vring/vhost-net'
import { loadTried } from '../load-registry.ts'
import type { ConformanceReport, ConformanceRequest } from './conformance-report.ts'

/** What the conformance kit says of one plugin, which may end or hang this process: see `examinePlugin`. */
export async function examine({
  plugins,
  kind,
  name,
  options,
  argument = null,
}: ConformanceRequest): Promise<ConformanceReport> {
  const registry = await loadTried(plugins)
  if (kind === 'backend') return { plugin: name, kind, ...examineBackend(registry.backend(name), argument) }
  return { plugin: name, kind, cases: runConformance(registry.accessor(name), options === null ? {} : { options }) }
}

/** Without `sent` and `arrive`: what a backend does with frames only its author can show, in a test of their own. */
function examineBackend(plugin: BackendPlugin, argument: string | null): Pick<ConformanceReport, 'cases' | 'unseen'> {
  const subject: NetSubject = { plugin, create: () => plugin.create(argument) }
  const cases = runNetConformance(subject)
  const seen = netCasesOf({ ...subject, sent: () => [], arrive: () => false })
  return { cases, unseen: seen.length - cases.length }
}
