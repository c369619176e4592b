import type { AccessorContext, AccessorPlugin, Cpu } from '@vring/accessor'
import { ACCESS_READ, type Access, type AddressMap, type KernelMapping, type UserSpace } from '@vring/memory'
import { createWorld } from '@vring/testkit'
import { DelegatingCpu, delegate, type Mutant, mutatePlugin } from './mutant.ts'

const AC_CLEAR = 'no access touches user memory while EFLAGS.AC is clear'
const BALANCED = 'stac and clac are balanced, and user memory is closed afterwards'
const BALANCED_FAULT = 'stac and clac are balanced on a fault too'
const STRADDLES = 'a used element that straddles two scattered pages lands in both'
const READ_ONLY = 'a store to read-only memory is -EFAULT and changes nothing; a load works'
const MIGRATES = 'pages that migrate between two accesses of a round are followed'
const MIGRATES_LATER = 'pages that migrate between rounds are followed'
const GIVES_BACK = 'close gives every mapping and registration back, a second close does nothing'

const copies = ({ supports }: AccessorPlugin): boolean => !supports.needsMmuNotifier
const listens = ({ supports }: AccessorPlugin): boolean => supports.needsMmuNotifier

/** Asks the address space for kernel mappings? Tried, as `supports` does not say. */
function maps(plugin: AccessorPlugin): boolean {
  if (!plugin.supports.noIotlb) return false
  const world = createWorld({ plugin })
  world.round(() => {})
  return world.liveMappings() > 0
}

/** Accessors that use the processor or the address space wrongly. */
export const machineMutants: readonly Mutant[] = [
  cpuMutant('no-stac', 'user memory is accessed with EFLAGS.AC clear', AC_CLEAR, (cpu) => {
    return Object.assign(new DelegatingCpu(cpu), { stac: () => {} })
  }),
  cpuMutant('no-clac', 'user memory stays open after an access', BALANCED, (cpu) => {
    return Object.assign(new DelegatingCpu(cpu), { clac: () => {} })
  }),
  cpuMutant('no-clac-on-fault', 'a fault leaves user memory open', BALANCED_FAULT, (cpu) => {
    let faulted = false
    return Object.assign(new DelegatingCpu(cpu), {
      translate(map: AddressMap, address: number, length: number, access: Access) {
        const at = cpu.translate(map, address, length, access)
        faulted = at < 0
        return at
      },
      clac() {
        if (!faulted) cpu.clac()
      },
    })
  }),
  cpuMutant('assumes-contiguity', 'only the first bytes of a copy are translated', STRADDLES, (cpu) => {
    return Object.assign(new DelegatingCpu(cpu), {
      translate: (map: AddressMap, address: number, length: number, access: Access) =>
        cpu.translate(map, address, Math.min(length, 4), access),
    })
  }),
  cpuMutant('stores-where-it-may-read', 'stores ask for read permission', READ_ONLY, (cpu) => {
    return Object.assign(new DelegatingCpu(cpu), {
      translate: (map: AddressMap, address: number, length: number) => cpu.translate(map, address, length, ACCESS_READ),
    })
  }),
  {
    name: 'stale-in-round',
    flaw: 'translations are kept for the whole round',
    killedBy: MIGRATES,
    appliesTo: copies,
    mutate: (plugin) => withKeptTranslations(plugin, true),
  },
  {
    name: 'stale-for-ever',
    flaw: 'translations are kept for ever',
    killedBy: MIGRATES_LATER,
    appliesTo: copies,
    mutate: (plugin) => withKeptTranslations(plugin, false),
  },
  {
    name: 'deaf',
    flaw: 'the notifier is registered, and what it says is ignored',
    killedBy: MIGRATES,
    appliesTo: listens,
    mutate: (plugin) =>
      withSpace(plugin, (space) => ({
        notifiers: {
          register: (ops) =>
            space.notifiers.register({ ...ops, invalidateRangeStart: () => 0, invalidateRangeEnd: () => {} }),
        },
      })),
  },
  {
    name: 'maps-while-open',
    flaw: 'the end of an invalidation is taken for told when its start is',
    killedBy: 'an area is not mapped while an invalidation of it is open, whatever is done meanwhile',
    appliesTo: (plugin) => listens(plugin) && maps(plugin),
    mutate: (plugin) =>
      withSpace(plugin, (space) => ({
        notifiers: {
          register: (ops) =>
            space.notifiers.register({
              ...ops,
              invalidateRangeStart(range) {
                const status = ops.invalidateRangeStart?.(range) ?? 0
                ops.invalidateRangeEnd?.(range)
                return status
              },
              invalidateRangeEnd: () => {},
            }),
        },
      })),
  },
  {
    name: 'never-dirty',
    flaw: 'pages written through a direct mapping are not marked dirty',
    killedBy: 'what any store wrote is there after its page was reclaimed',
    appliesTo: maps,
    mutate: (plugin) => withMappings(plugin, () => ({ markDirty: () => {} })),
  },
  {
    name: 'leaks-mappings',
    flaw: 'mappings are never released',
    killedBy: GIVES_BACK,
    appliesTo: maps,
    mutate: (plugin) => withMappings(plugin, () => ({ release: () => {} })),
  },
  {
    name: 'stays-registered',
    flaw: 'close leaves the notifier registered',
    killedBy: GIVES_BACK,
    appliesTo: listens,
    mutate: (plugin) =>
      withSpace(plugin, (space) => ({
        notifiers: {
          register(ops) {
            space.notifiers.register(ops)
            return () => {}
          },
        },
      })),
  },
]

function cpuMutant(name: string, flaw: string, killedBy: string, broken: (cpu: Cpu) => Cpu): Mutant {
  return {
    name,
    flaw,
    killedBy,
    appliesTo: copies,
    mutate: (plugin) => mutatePlugin(plugin, { context: (context) => ({ ...context, cpu: broken(context.cpu) }) }),
  }
}

/** An address space with some members replaced. The view and the span are those of the moment. */
function withSpace(plugin: AccessorPlugin, broken: (space: UserSpace) => Partial<UserSpace>): AccessorPlugin {
  return mutatePlugin(plugin, { context: (context) => replaceSpace(context, broken) })
}

function replaceSpace(context: AccessorContext, broken: (space: UserSpace) => Partial<UserSpace>): AccessorContext {
  const { space } = context
  const replaced: UserSpace = {
    limit: space.limit,
    notifiers: space.notifiers,
    get view() {
      return space.view
    },
    get span() {
      return space.span
    },
    resolve: (address, length, access) => space.resolve(address, length, access),
    resolveSpan: (address, length, access) => space.resolveSpan(address, length, access),
    mapKernel: (request) => space.mapKernel(request),
  }
  return { ...context, space: Object.assign(replaced, broken(space)) }
}

function withMappings(
  plugin: AccessorPlugin,
  broken: (mapping: KernelMapping) => Partial<KernelMapping>,
): AccessorPlugin {
  return withSpace(plugin, (space) => ({
    mapKernel(request) {
      const mapping = space.mapKernel(request)
      if (typeof mapping === 'string') return mapping
      const replaced: KernelMapping = {
        view: mapping.view,
        base: mapping.base,
        offsetOf: (offset) => mapping.offsetOf(offset),
        markDirty: () => mapping.markDirty(),
        release: () => mapping.release(),
      }
      return Object.assign(replaced, broken(mapping))
    },
  }))
}

/** Remembers every translation that worked; forgets them when a round begins, or never. */
function withKeptTranslations(plugin: AccessorPlugin, forRound: boolean): AccessorPlugin {
  const kept = new Map<string, number>()
  return mutatePlugin(plugin, {
    context: (context) =>
      replaceSpace(context, (space) => ({
        resolve(address, length, access) {
          const key = `${address}/${length}/${access}`
          const at = kept.get(key) ?? space.resolve(address, length, access)
          if (at >= 0) kept.set(key, at)
          return at
        },
      })),
    accessor: (accessor) =>
      delegate(accessor, {
        beginRound() {
          if (forRound) kept.clear()
          return accessor.beginRound()
        },
        close() {
          kept.clear()
          accessor.close()
        },
      }),
  })
}
