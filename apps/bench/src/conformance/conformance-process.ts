import { runConformance } from '@vring/conformance'
import { runNetConformance } from '@vring/net-conformance'
import type { BackendPlugin } from '@vring/vhost-net'
import { loadRegistry } from '../load-registry.ts'
import type { ConformanceCase, ConformanceReport, ConformanceRequest } from './conformance-report.ts'

/** The process of one plugin under the conformance kit, which the plugin may end or hang: see `examinePlugin`. */
process.on('message', async ({ plugins, kind, name, options }: ConformanceRequest) => {
  const registry = await loadRegistry(plugins)
  const cases =
    kind === 'accessor'
      ? runConformance(registry.accessor(name), options === null ? {} : { options })
      : casesOfBackend(registry.backend(name))
  process.send?.({ plugin: name, kind, cases } satisfies ConformanceReport)
})
process.on('disconnect', () => process.exit(0))

/** Without `sent` and `arrive`: what a backend does with frames only its author can show, in a test of their own. */
function casesOfBackend(plugin: BackendPlugin): ConformanceCase[] {
  return runNetConformance({ plugin, create: () => plugin.create() })
}
