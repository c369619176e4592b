/**
 * Composes a program's parts: the built-in accessors and backends, a backend of its own, and which accessor serves a
 * ring, with the reason why each other one does not.
 *
 *   npx tsx --conditions=@vring/source examples/compose-registry.ts
 */
import { createRegistry } from '@vring/registry'
import { DropBackend, defineBackend } from '@vring/vhost-net'

const mine = defineBackend({
  name: 'count-only',
  apiVersion: 1,
  description: 'counts frames and forgets them',
  supports: { inPlace: true, xdp: false, privileged: false, receives: false },
  create: () => new DropBackend(),
})

// A registry composes what a program knows; a plugin is a part like any other.
const registry = createRegistry().with({ backends: [mine] })
for (const { name, description } of registry.backends) console.log(`${name}: ${description}`)

// Which accessor serves, and why each other one does not: a ring in a file, then one under a device IOTLB.
for (const conditions of [{ fileBacked: true }, { iotlb: true }]) {
  const { chosen, why, rejected } = registry.select(conditions)
  console.log(`${JSON.stringify(conditions)}: ${chosen}: ${why}`)
  for (const { name, reason } of rejected) console.log(`  not ${name}: ${reason}`)
}
