import { type AccessorPlugin, defineAccessor } from '@vring/accessor'
import { vmapDirect } from '@vring/accessor-vmap-direct'
import { MUTANTS } from '@vring/conformance'
import { createRegistry } from '@vring/registry'

/** A mutant under a name of its own, so that it can stand beside the accessor that it was made of. */
function mutant(name: string, of: AccessorPlugin): AccessorPlugin {
  const found = MUTANTS.find((candidate) => candidate.name === name)
  if (found === undefined) throw new RangeError(`no mutant ${name}`)
  const { apiVersion, supports, options, create } = found.mutate(of)
  return defineAccessor({
    name: `${of.name}-${name}`,
    apiVersion,
    supports,
    options,
    create,
    description: `broken on purpose: ${found.flaw}`,
  })
}

/** The four accessors, simplest first, and one that a conformance test would turn down. */
export const ACCESSORS: readonly AccessorPlugin[] = [
  ...[...createRegistry().accessors].reverse(),
  mutant('deaf', vmapDirect),
]

/** @throws RangeError for a name that is none */
export function accessorNamed(name: string): AccessorPlugin {
  const plugin = ACCESSORS.find((candidate) => candidate.name === name)
  if (plugin === undefined) throw new RangeError(`no accessor ${name}`)
  return plugin
}

/** Does it translate ring addresses, so that the machine needs a device IOTLB? */
export function needsIotlb({ supports }: AccessorPlugin): boolean {
  return !supports.noIotlb
}
