import { AccessCounters, type Accessor, RingLease } from '@vring/accessor'
import { AREAS, type Area } from '@vring/layout'
import { createWorld } from '@vring/testkit'
import { delegate, type Mutant, mutatePlugin } from './mutant.ts'

const LOADS = 'loads give what the driver stored, in the whole of each area'
const AREA_ACCESS = 'an area is reached as its access says, and no other way'
const COUNTED = 'every access is counted once, in its area, by the end of the round'
const GIVES_BACK = 'close gives every mapping and registration back, a second close does nothing'

/** Accessors that break the contract around the accesses: areas, counters, ends, declarations. */
export const contractMutants: readonly Mutant[] = [
  {
    name: 'swapped-areas',
    flaw: 'driver area and device area are the same window',
    killedBy: LOADS,
    mutate: (plugin) =>
      mutatePlugin(plugin, { accessor: (accessor) => delegate(accessor, { driver: accessor.device }) }),
  },
  {
    name: 'any-access',
    flaw: 'areas are taken to be read and written, whatever their access',
    killedBy: AREA_ACCESS,
    mutate: (plugin) =>
      mutatePlugin(plugin, {
        context: (context) => ({
          ...context,
          ring: {
            ...context.ring,
            desc: { ...context.ring.desc, access: 'read-write' },
            driver: { ...context.ring.driver, access: 'read-write' },
            device: { ...context.ring.device, access: 'read-write' },
          },
        }),
      }),
  },
  {
    name: 'access-by-name',
    flaw: 'what may be done with an area follows from its name',
    killedBy: AREA_ACCESS,
    mutate: (plugin) =>
      mutatePlugin(plugin, {
        context: (context) => ({
          ...context,
          ring: {
            ...context.ring,
            desc: { ...context.ring.desc, access: 'read' },
            driver: { ...context.ring.driver, access: 'read' },
            device: { ...context.ring.device, access: 'read-write' },
          },
        }),
      }),
  },
  {
    name: 'lease-for-ever',
    flaw: 'a lease that was held once is held for ever',
    killedBy: 'nothing is held while an invalidation of an area is open',
    appliesTo: (plugin) => plugin.supports.needsMmuNotifier && createWorld({ plugin }).accessor.lease !== null,
    mutate: (plugin) =>
      mutatePlugin(plugin, {
        accessor(accessor) {
          const { lease } = accessor
          if (lease === null) return accessor
          const hold = lease.hold.bind(lease)
          let held = false
          lease.hold = () => {
            held = hold() || held
            return held
          }
          return accessor
        },
      }),
  },
  {
    name: 'lease-never',
    flaw: 'a lease that is never held',
    killedBy: 'a lease is constant, and held where memory is plain: what is there is what the driver stored',
    mutate: (plugin) =>
      mutatePlugin(plugin, {
        accessor: (accessor) =>
          delegate(accessor, {
            lease: new RingLease({ hold: () => false, drop: () => {} }, accessor.counters),
          }),
      }),
  },
  {
    name: 'counts-twice',
    flaw: 'every access is counted twice',
    killedBy: COUNTED,
    mutate: (plugin) => mutatePlugin(plugin, { accessor: (accessor) => recount(accessor, (area) => area, 2) }),
  },
  {
    name: 'counts-elsewhere',
    flaw: 'accesses of the device area are counted in the driver area',
    killedBy: COUNTED,
    mutate: (plugin) =>
      mutatePlugin(plugin, {
        accessor: (accessor) => recount(accessor, (area) => (area === 'device' ? 'driver' : area), 1),
      }),
  },
  {
    name: 'counts-at-close',
    flaw: 'counters are handed over only when the accessor is closed',
    killedBy: COUNTED,
    mutate: (plugin) =>
      mutatePlugin(plugin, { accessor: (accessor) => delegate(accessor, { counters: new AccessCounters() }) }),
  },
  {
    name: 'closes-once',
    flaw: 'a second close throws',
    killedBy: GIVES_BACK,
    mutate: (plugin) =>
      mutatePlugin(plugin, {
        accessor(accessor) {
          let closed = false
          return delegate(accessor, {
            close() {
              if (closed) throw new Error('closed already')
              closed = true
              accessor.close()
            },
          })
        },
      }),
  },
  {
    name: 'shared-state',
    flaw: 'the windows of all queues are those of the first one',
    killedBy: 'two queues of one accessor plugin do not see each other',
    mutate(plugin) {
      let first: Accessor | null = null
      return mutatePlugin(plugin, {
        accessor(accessor, context) {
          first ??= context.ring.queueSize === 0 ? null : accessor
          return delegate(accessor, { device: first!.device })
        },
      })
    },
  },
  {
    name: 'anonymous',
    flaw: 'the accessor has a name of its own',
    killedBy: 'the accessor carries the name of its plugin',
    mutate: (plugin) =>
      mutatePlugin(plugin, { accessor: (accessor) => delegate(accessor, { name: `${accessor.name}-2` }) }),
  },
  {
    name: 'denies-files',
    flaw: 'supports says that files are refused, and they are not',
    killedBy: 'without support for files and without a fallback the accessor refuses the ring',
    mutate: (plugin) => mutatePlugin(plugin, { supports: { fileBacked: false, fallsBack: false } }),
  },
  {
    name: 'claims-iotlb',
    flaw: 'supports promises a device IOTLB, and there is none',
    killedBy: 'an area in two translations works, wherever they lead',
    appliesTo: ({ supports }) => !supports.iotlb,
    mutate: (plugin) => mutatePlugin(plugin, { supports: { iotlb: true } }),
  },
  {
    name: 'claims-safety',
    flaw: 'supports says that it is safe under speculation, and it is not',
    killedBy: 'M19: no mispredicted branch makes a device load out of bounds',
    appliesTo: ({ supports }) => !supports.speculationSafe,
    mutate: (plugin) => mutatePlugin(plugin, { supports: { speculationSafe: true } }),
  },
  {
    name: 'needs-no-iotlb',
    flaw: 'supports says that it works without a device IOTLB only with one',
    killedBy: 'an accessor that only translates refuses to work without a device IOTLB',
    appliesTo: ({ supports }) => supports.noIotlb,
    mutate: (plugin) => mutatePlugin(plugin, { supports: { noIotlb: false } }),
  },
]

/** An accessor whose counts are copied at the end of each round: moved to another area, or multiplied. */
function recount(accessor: Accessor, areaOf: (area: Area) => Area, factor: number): Accessor {
  const counters = new AccessCounters()
  return delegate(accessor, {
    counters,
    endRound() {
      accessor.endRound()
      for (const [key, count] of Object.entries(accessor.counters.snapshot())) {
        const area = AREAS.find((name) => key.startsWith(`${name}.`))!
        counters.add(areaOf(area), key.slice(area.length + 1) as `fallback:${string}`, factor * count)
      }
      accessor.counters.reset()
    },
  })
}
