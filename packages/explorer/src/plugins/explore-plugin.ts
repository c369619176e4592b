import { type AccessorOptions, type AccessorPlugin, supportsOf } from '@vring/accessor'
import { refused } from '@vring/layout'
import type { Exploration, ExploreOptions, Finding } from '../exploration.ts'
import { explore } from '../explore.ts'
import type { MappedAccessorParts } from '../mapped-accessor.ts'
import type { MemoryModel } from '../operation.ts'
import type { Scenario } from '../scenario.ts'
import {
  batchDuringInvalidation,
  cowDuringRound,
  kickDuringEnable,
  migrateDuringRound,
  packedBatchDuringInvalidation,
  packedKickDuringEnable,
  packedPublishDuringPoll,
  parallelInvalidations,
  publishDuringPoll,
  type QueueScenario,
  reclaimDuringRound,
  writebackDuringReclaim,
} from '../scenarios/index.ts'
import { type FieldKnowledge, SharedFields } from './shared-fields.ts'

/** What an accessor of any kind is explored in, and the memory model that its faults need. */
const PLUGIN_SCENARIOS: readonly (readonly [make: QueueScenario, model: MemoryModel])[] = [
  [migrateDuringRound, 'sc'],
  [reclaimDuringRound, 'sc'],
  [cowDuringRound, 'sc'],
  [parallelInvalidations, 'sc'],
  [writebackDuringReclaim, 'sc'],
  [batchDuringInvalidation, 'sc'],
  [packedBatchDuringInvalidation, 'sc'],
  [publishDuringPoll, 'weak'],
  [packedPublishDuringPoll, 'weak'],
  [kickDuringEnable, 'tso'],
  [packedKickDuringEnable, 'tso'],
]

/** How an accessor is explored. */
export interface ExplorePluginOptions extends Pick<ExploreOptions, 'preemptions' | 'maxStates'> {
  /** Option values of the accessor. */
  readonly options?: AccessorOptions
  /** What the shipped worlds are made of: `@vring/accessor`. */
  readonly parts: MappedAccessorParts
}

/** What came of one scenario over an accessor. */
export interface PluginExploration extends Exploration {
  readonly scenario: string
  readonly description: string
  readonly memoryModel: MemoryModel
}

/** Accesses that one hold may take, and an invalidation wait for. Source: HOLD_CHAINS of virtqueue, three accesses each. */
const WAIT_LIMIT = 3 * 64
/** Fields that an accessor may store to or share: beyond, its state does not settle. */
const FIELDS_MAX = 200

/**
 * Runs the rings that ship over any accessor while its pages move, are reclaimed, copied and written back, and while a
 * driver publishes. It runs every interleaving, up to two preemptions by default.
 *
 * What the accessor keeps is taken from its fields, or goes through `context.port`. A finding `hidden-state` says that it
 * keeps something where neither is: then nothing is shown of it.
 *
 * @throws VringError ERR_UNSUPPORTED for an accessor that only works with a device IOTLB, which the model has not
 */
export function explorePlugin(
  plugin: AccessorPlugin,
  { options = {}, parts, preemptions = 2, maxStates = 300_000 }: ExplorePluginOptions,
): PluginExploration[] {
  if (!supportsOf(plugin, options).noIotlb)
    throw refused('ERR_UNSUPPORTED', 'explore', plugin.name, 'an accessor that works without a device IOTLB')
  return PLUGIN_SCENARIOS.map(([make, memoryModel]) => {
    const known: FieldKnowledge = { stored: new Set(), contended: new Set() }
    for (;;) {
      const fields = known.stored.size + known.contended.size
      const scenario = over(make, plugin, options, parts, known)
      const explored = explore(scenario, {
        memoryModel,
        preemptions,
        maxStates,
        waitLimit: WAIT_LIMIT,
        checkReplays: true,
      })
      const grown = known.stored.size + known.contended.size
      const { name, description } = scenario
      const about = { scenario: name, description, memoryModel }
      if (grown === fields) return { ...about, ...explored }
      if (grown > FIELDS_MAX) return { ...about, ...explored, exhausted: false, finding: tooWide(memoryModel) }
    }
  })
}

function tooWide(memoryModel: MemoryModel): Finding {
  const message = `the accessor stores to, or shares, more than ${FIELDS_MAX} fields: they are not followed, and nothing is shown`
  return { kind: 'hidden-state', message, threads: [], schedule: [], memoryModel, seed: null }
}

/** A scenario whose accessor is made by a plugin, its fields being variables of the world. */
function over(
  make: QueueScenario,
  plugin: AccessorPlugin,
  options: AccessorOptions,
  parts: MappedAccessorParts,
  known: FieldKnowledge,
): Scenario {
  let fields: SharedFields | null = null
  const scenario = make({
    structural: [parts.DirectMap],
    create: (context, world, port) => {
      fields = new SharedFields(world, port, known)
      const accessor = plugin.create(context, options)
      const { space, ring } = context
      const apart = [...Object.values(context), ring.desc, ring.driver, ring.device, space.view, accessor.counters]
      fields.share(accessor, apart)
      return accessor
    },
  })
  return {
    ...scenario,
    prepare: (world) => {
      const { threads, ...prepared } = scenario.prepare(world)
      return {
        ...prepared,
        threads: threads.map((thread, index) => ({
          ...thread,
          run: () => {
            fields!.thread = index
            try {
              return thread.run()
            } finally {
              fields!.thread = -1
            }
          },
        })),
      }
    },
  }
}
