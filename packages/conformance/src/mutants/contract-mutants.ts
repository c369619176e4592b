import { AccessCounters, type Accessor, AREAS, type Area, PLAIN_FLAGS, type PlainChains } from '@vring/accessor'
import { AVAIL_RING_OFFSET, DESC_BYTES } from '@vring/layout'
import { delegate, type Mutant, mutatePlugin } from './mutant.ts'

const LOADS = 'loads give what the driver stored, in the whole of each area'
const PLAIN = 'plain chains loaded in one go are what the ring says, up to the first that is not plain'
const COUNTED = 'every access is counted once, in its area, by the end of the round'
const GIVES_BACK = 'close gives every mapping and registration back, a second close does nothing'

/** Accessors that break the contract around the accesses: areas, counters, ends, declarations. */
export const contractMutants: readonly Mutant[] = [
  {
    name: 'swapped-areas',
    flaw: 'avail and used are the same window',
    killedBy: LOADS,
    mutate: (plugin) => mutatePlugin(plugin, { accessor: (accessor) => delegate(accessor, { avail: accessor.used }) }),
  },
  {
    name: 'plain-one-more',
    flaw: 'loadPlain says one chain more than it loaded',
    killedBy: PLAIN,
    mutate: (plugin) =>
      mutatePlugin(plugin, {
        accessor: (accessor) =>
          delegate(accessor, {
            loadPlain: (slot, count, queueSize, out, index) =>
              loadByWindows(accessor, slot, count - 1, queueSize, out, index) + 1,
          }),
      }),
  },
  {
    name: 'plain-any-head',
    flaw: 'loadPlain does not compare heads with the queue size',
    killedBy: PLAIN,
    mutate: (plugin) =>
      mutatePlugin(plugin, {
        accessor: (accessor) =>
          delegate(accessor, {
            loadPlain: (slot, count, queueSize, out, index) =>
              loadByWindows(accessor, slot, count, 0x1_0000, out, index, queueSize),
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
    flaw: 'accesses of the used ring are counted in avail',
    killedBy: COUNTED,
    mutate: (plugin) =>
      mutatePlugin(plugin, {
        accessor: (accessor) => recount(accessor, (area) => (area === 'used' ? 'avail' : area), 1),
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
          return delegate(accessor, { used: first!.used })
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

/** A `loadPlain` for accessors of every kind, which takes heads below `limit`; those beyond the table wrap. */
function loadByWindows(
  { avail, desc }: Accessor,
  slot: number,
  count: number,
  limit: number,
  out: PlainChains,
  index: number,
  entries: number = limit,
): number {
  const words = new Uint32Array(4)
  for (let i = 0; i < count; i++) {
    const head = avail.load16(AVAIL_RING_OFFSET + 2 * (slot + i))
    if (head >= limit || desc.loadDescriptor(DESC_BYTES * (head % entries), words, 0) < 0) return i
    const [low, high, length, flags] = words as unknown as [number, number, number, number]
    if ((flags & PLAIN_FLAGS) !== out.flags || length === 0) return i
    out.used[2 * (index + i)] = head
    out.address[index + i] = high * 2 ** 32 + low
    out.length[index + i] = length
  }
  return count
}

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
