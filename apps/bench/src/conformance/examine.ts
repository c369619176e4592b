import { runConformance } from '@vring/conformance'
import { runNetConformance } from '@vring/net-conformance'
import type { BackendPlugin } from '@vring/vhost-net'
import { loadTried } from '../load-registry.ts'
import type { ConformanceCase, ConformanceReport, ConformanceRequest } from './conformance-report.ts'

/** What the conformance kit says of one plugin, which may end or hang this process: see `examinePlugin`. */
export async function examine({ plugins, kind, name, options }: ConformanceRequest): Promise<ConformanceReport> {
  const registry = await loadTried(plugins)
  const cases =
    kind === 'accessor'
      ? runConformance(registry.accessor(name), options === null ? {} : { options })
      : casesOfBackend(registry.backend(name))
  return { plugin: name, kind, cases }
}

/** Without `sent` and `arrive`: what a backend does with frames only its author can show, in a test of their own. */
function casesOfBackend(plugin: BackendPlugin): ConformanceCase[] {
  return runNetConformance({ plugin, create: () => plugin.create() })
}
