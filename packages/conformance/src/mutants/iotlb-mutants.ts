import type { AccessorPlugin } from '@vring/accessor'
import type { Iotlb, IotlbEntry } from '@vring/iotlb'
import { ACCESS_WRITE } from '@vring/memory'
import { type Mutant, mutatePlugin } from './mutant.ts'

const MISSING = 'a missing translation ends the round and is asked for once; an update resumes it'
const PERMISSION = 'a translation without the permission ends the round, and nothing is asked'
const FORGETS = 'an invalidation forgets what was cached: the next round follows the new translation'
const SPLIT = 'an area in two translations works, wherever they lead'

/** Accessors that misuse the device IOTLB. */
export const iotlbMutants: readonly Mutant[] = [
  iotlbMutant('blind-to-updates', 'cached translations outlive their invalidation', FORGETS, () => ({ generation: 0 })),
  iotlbMutant('never-asks', 'a missing translation is not asked for', MISSING, () => ({ miss: () => {} })),
  iotlbMutant('always-asks-to-write', 'questions ask for write permission', MISSING, (iotlb) => ({
    miss: (iova) => iotlb.miss(iova, ACCESS_WRITE),
  })),
  iotlbMutant('asks-on-mismatch', 'a missing permission is asked for, over and over', PERMISSION, (iotlb) => ({
    lookup: (iova) => onlyIf(iotlb.lookup(iova), ({ perm }) => perm === 3),
  })),
  iotlbMutant('ignores-permission', 'what is translated is taken to be permitted', PERMISSION, (iotlb) => ({
    lookup: (iova) => changed(iotlb.lookup(iova), { perm: 3 }),
  })),
  iotlbMutant('overreaches', 'a translation is taken to cover whatever follows it', SPLIT, (iotlb) => ({
    lookup: (iova) => changed(iotlb.lookup(iova), { last: Number.MAX_SAFE_INTEGER }),
  })),
]

function onlyIf(entry: IotlbEntry | null, condition: (entry: IotlbEntry) => boolean): IotlbEntry | null {
  return entry !== null && condition(entry) ? entry : null
}

function changed(entry: IotlbEntry | null, members: Partial<IotlbEntry>): IotlbEntry | null {
  return entry === null ? null : { ...entry, ...members }
}

function iotlbMutant(name: string, flaw: string, killedBy: string, broken: (iotlb: Iotlb) => Partial<Iotlb>): Mutant {
  return {
    name,
    flaw,
    killedBy,
    appliesTo: ({ supports }) => supports.iotlb,
    mutate: (plugin: AccessorPlugin) =>
      mutatePlugin(plugin, {
        context(context) {
          const { iotlb } = context
          if (iotlb === null) return context
          const replaced: Iotlb = {
            get generation() {
              return iotlb.generation
            },
            lookup: (iova) => iotlb.lookup(iova),
            miss: (iova, perm) => iotlb.miss(iova, perm),
          }
          const { generation, ...methods } = broken(iotlb)
          Object.assign(replaced, methods)
          if (generation !== undefined) Object.defineProperty(replaced, 'generation', { value: generation })
          return { ...context, iotlb: replaced }
        },
      }),
  }
}
