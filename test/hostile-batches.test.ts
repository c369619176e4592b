import { type Accessor, type AccessorPlugin, plainCpu } from '@vring/accessor'
import { copyChecked } from '@vring/accessor-copy-checked'
import { nospecMasked } from '@vring/accessor-nospec-masked'
import { vmapDirect } from '@vring/accessor-vmap-direct'
import {
  featureSet,
  type RingAreas,
  splitRingAreas,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_VERSION_1,
} from '@vring/layout'
import { GuestMap, type MappedRegion, MappedSpace, memoryView } from '@vring/memory'
import { ChainBatch, createDeviceQueue, type DeviceQueue } from '@vring/virtqueue'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

/** User and guest addresses of the areas and of indirect tables, a region each. */
const AT = { desc: 0x10_0000, avail: 0x20_0000, used: 0x30_0000, tables: 0x40_0000 } as const
type RegionName = keyof typeof AT
const NAMES = Object.keys(AT) as RegionName[]
const BATCH = 64

type Step =
  | { readonly do: 'descriptor'; readonly slot: number; readonly words: readonly [number, number, number, number] }
  | { readonly do: 'table'; readonly slot: number; readonly words: readonly [number, number, number, number] }
  | { readonly do: 'offer'; readonly heads: readonly number[] }
  | { readonly do: 'jump'; readonly by: number }
  | { readonly do: 'events'; readonly value: number }
  | { readonly do: 'round'; readonly pops: readonly Pop[] }
  | { readonly do: 'unmap' | 'remap' | 'shift'; readonly region: RegionName }
  | { readonly do: 'swap'; readonly to: number }
  | { readonly do: 'restart'; readonly at: number }

/** One batch, and what is done to its chains; `meanwhile` happens without the round, between two batches. */
interface Pop {
  readonly max: number
  readonly keep: number
  readonly way: 'useBatch' | 'pushUsed'
  readonly other: boolean
  readonly meanwhile: 'nothing' | RegionName
}

/** One accessor's machine: what the script does to one it does to all, byte by byte. */
class Machine {
  readonly space: MappedSpace
  readonly buffers: GuestMap
  readonly ring: RingAreas
  queue: DeviceQueue
  readonly #over: (accessor: Accessor) => DeviceQueue
  readonly seen: string[] = []
  readonly #bytes = new Map<RegionName, DataView>()
  readonly #regions = new Map<RegionName, MappedRegion>()
  readonly #batches: readonly ChainBatch[]
  readonly #regionBytes: number
  readonly #kind: Setup['kind']
  readonly #create: (choice: number, machine: Machine) => Accessor
  #availIdx = 0

  constructor(
    { size, event, kind, start }: Setup,
    batches: readonly ChainBatch[],
    create: (choice: number, machine: Machine) => Accessor,
  ) {
    this.#batches = kind === 'readable' ? batches : [...batches].reverse()
    this.#create = create
    this.#kind = kind
    // Descriptors take 16 bytes each, indirect tables are 256 of them.
    this.#regionBytes = 16 * Math.max(size, 256)
    for (const name of NAMES) this.#map(name, 0, new Uint8Array(this.#regionBytes))
    this.space = new MappedSpace([...this.#regions.values()])
    this.buffers = new GuestMap(
      this.space,
      NAMES.map((name) => ({ guestAddress: AT[name], userAddress: AT[name], length: this.#regionBytes })),
    )
    this.ring = splitRingAreas(size, event, AT.desc, AT.avail, AT.used)
    const features = featureSet(VIRTIO_F_VERSION_1, VIRTIO_F_INDIRECT_DESC, ...(event ? [VIRTIO_F_EVENT_IDX] : []))
    this.#over = (accessor) =>
      createDeviceQueue({ accessor, cpu: plainCpu, ring: this.ring, features, buffers: this.buffers })
    this.queue = this.#over(create(0, this))
    this.restart(start)
  }

  /** A driver that begins again: all memory there, all descriptors plain. */
  restart(at: number): void {
    for (const name of NAMES) if (!this.#regions.has(name)) this.#remap(name, 0)
    for (let slot = 0; slot < this.ring.queueSize; slot++)
      this.#store('desc', 16 * slot, [0x5000 + 64 * slot, 0, 64 + slot, this.#kind === 'writable' ? 2 : 0])
    this.#availIdx = at
    this.#bytes.get('avail')!.setUint16(2, at, true)
    this.#bytes.get('used')!.setUint16(2, at, true)
    this.queue.accessor.beginRound()
    this.seen.push(`start ${this.queue.start(at)}`)
    this.queue.accessor.endRound()
  }

  do(step: Step): void {
    const { queueSize } = this.ring
    const avail = this.#bytes.get('avail')!
    switch (step.do) {
      case 'descriptor':
        this.#store('desc', 16 * (step.slot % queueSize), step.words)
        return
      case 'table':
        this.#store('tables', 16 * step.slot, step.words)
        return
      case 'offer':
        // A driver that finds its queue broken sets it up again.
        if (this.queue.broken !== null) this.restart(this.#availIdx)
        for (const head of step.heads) avail.setUint16(4 + 2 * (this.#availIdx++ % queueSize), head, true)
        this.#availIdx &= 0xffff
        avail.setUint16(2, this.#availIdx, true)
        return
      case 'jump':
        this.#availIdx = (this.#availIdx + step.by) & 0xffff
        avail.setUint16(2, this.#availIdx, true)
        return
      case 'events':
        avail.setUint16(0, step.value & 1, true)
        avail.setUint16(4 + 2 * queueSize, step.value, true)
        return
      case 'unmap':
        this.#unmap(step.region)
        return
      case 'remap':
        this.#remap(step.region, 0)
        return
      case 'shift':
        this.#remap(step.region, 64)
        return
      case 'swap':
        this.#swap(step.to)
        return
      case 'restart':
        this.restart(step.at)
        return
      case 'round':
        this.#round(step.pops)
    }
  }

  /** Another accessor serves the ring: a queue of its own that starts where the old one is. */
  #swap(to: number): void {
    const { base, broken } = this.queue
    this.queue.accessor.close()
    this.queue = this.#over(this.#create(to, this))
    this.queue.accessor.beginRound()
    this.seen.push(`swap ${broken} ${this.queue.start(base)}`)
    this.queue.accessor.endRound()
  }

  usedRing(): readonly number[] {
    const { buffer, byteOffset } = this.#bytes.get('used')!
    return [...new Uint8Array(buffer, byteOffset, this.ring.device.length)]
  }

  close(): void {
    this.queue.accessor.close()
  }

  #round(pops: readonly Pop[]): void {
    const { queue } = this
    queue.accessor.beginRound()
    queue.disableNotification()
    for (const { max, keep, way, other, meanwhile } of pops) {
      const batch = this.#batches[other ? 1 : 0]!
      const taken = queue.popBatch(batch, max)
      this.seen.push(`pop ${taken} ${queue.broken} ${describeBatch(batch)}`)
      this.#checkPlain(batch)
      if (meanwhile !== 'nothing') {
        if (this.#regions.has(meanwhile)) this.#unmap(meanwhile)
        else this.#remap(meanwhile, 0)
      }
      if (taken <= 0) continue
      const done = Math.min(keep, taken)
      queue.rewind(batch, taken - done)
      // What is taken is used: a chain that is neither used nor given back is the device's own mistake.
      if (way === 'useBatch') this.seen.push(`used ${queue.useBatch(batch, done)}`)
      else {
        for (let chain = 0; chain < done; chain++) queue.push(batch, chain, chain)
        this.seen.push(`used ${queue.flush()}`)
      }
      this.seen.push(`notify ${queue.needsNotification()} ${queue.broken}`)
    }
    this.seen.push(`more ${queue.enableNotification()} ${queue.broken} ${queue.base}`)
    queue.accessor.endRound()
  }

  /** What all accessors could have wrong alike: a chain of one descriptor is what that says. */
  #checkPlain(batch: ChainBatch): void {
    const table = this.#bytes.get('desc')!
    for (let chain = 0; chain < batch.count; chain++) {
      const at = 16 * batch.idOf(chain)
      const bytes = table.getUint32(at + 8, true)
      const bits = table.getUint16(at + 12, true)
      if ((bits & 5) !== 0 || bytes === 0) continue
      const segment = batch.segStart[chain]!
      const found = [batch.segStart[chain + 1]! - segment, batch.writeStart[chain]! - segment]
      found.push(batch.address[segment]!, batch.length[segment]!)
      const address = Number(table.getBigUint64(at, true))
      if (found.join() !== [1, (bits & 2) === 0 ? 1 : 0, address, bytes].join())
        expect(found, `chain ${chain}`).toEqual([1, (bits & 2) === 0 ? 1 : 0, address, bytes])
    }
  }

  #store(region: RegionName, offset: number, words: readonly number[]): void {
    for (const [index, word] of words.entries()) this.#bytes.get(region)!.setUint32(offset + 4 * index, word, true)
  }

  #unmap(region: RegionName): void {
    this.#regions.delete(region)
    this.space.replaceRegions([...this.#regions.values()])
  }

  /** The same bytes in other memory; what was there before is overwritten, as it may belong to another process now. */
  #remap(region: RegionName, viewOffset: number): void {
    const { buffer, byteOffset } = this.#bytes.get(region)!
    const before = new Uint8Array(buffer, byteOffset, this.#regionBytes)
    this.#map(region, viewOffset, before)
    this.space.replaceRegions([...this.#regions.values()])
    before.fill(0xa5)
  }

  #map(region: RegionName, viewOffset: number, content: Uint8Array): void {
    const view = memoryView(new SharedArrayBuffer(this.#regionBytes + viewOffset))
    view.u8.set(content, viewOffset)
    this.#bytes.set(region, new DataView(view.buffer, viewOffset))
    this.#regions.set(region, { address: AT[region], length: this.#regionBytes, view, viewOffset })
  }
}

function describeBatch(batch: ChainBatch): string {
  const chains: string[] = []
  for (let chain = 0; chain < batch.count; chain++) {
    const [first, last] = [batch.segStart[chain]!, batch.segStart[chain + 1]!]
    const segments: string[] = []
    for (let s = first; s < last; s++)
      segments.push(`${s >= batch.writeStart[chain]! ? 'w' : 'r'}${batch.address[s]}+${batch.length[s]}`)
    chains.push(`${batch.idOf(chain)}/${batch.used[2 * chain + 1]}:${segments.join(',')}`)
  }
  return chains.join(' ')
}

interface Setup {
  readonly size: number
  readonly event: boolean
  readonly kind: 'readable' | 'writable'
  /** Avail index to start at: the ring wraps anywhere, and so does the index. */
  readonly start: number
}

const setup: fc.Arbitrary<Setup> = fc.record({
  size: fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom(1, 2, 4, 64, 64, 256) },
    { weight: 1, arbitrary: fc.constant(32768) },
  ),
  event: fc.boolean(),
  kind: fc.constantFrom('readable', 'writable'),
  start: fc.oneof(fc.nat(0xffff), fc.integer({ min: 0xffc0, max: 0xffff })),
})

const word = fc.integer({ min: 0, max: 0xffff_ffff })
const high = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0) },
  fc.constantFrom(0x1f_ffff, 0x20_0000, 0xffff_ffff),
  word,
)
const low = fc.oneof(
  fc.nat(0xffff),
  fc.nat(0xff).map((slot) => AT.tables + 16 * slot),
  word,
)
const length = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 2048 }) },
  fc.constantFrom(0, 16, 32, 48, 0x8000_0000, 0xffff_ffff),
)
/** Flags low, next high: bits that mean nothing too. */
const flags = fc
  .tuple(
    fc.oneof({ weight: 6, arbitrary: fc.constantFrom(0, 2) }, fc.constantFrom(1, 3, 4, 6, 5), fc.nat(0xffff)),
    fc.oneof(fc.nat(8), fc.constantFrom(0x7fff, 0x8000, 0xffff)),
  )
  .map(([bits, next]) => (bits | (next << 16)) >>> 0)
const words = fc.tuple(low, high, length, flags)
const head = (size: number): fc.Arbitrary<number> =>
  fc.oneof(
    { weight: 40, arbitrary: fc.nat(size - 1) },
    fc.constantFrom(size & 0xffff, 0x7fff, 0x8000, 0xffff),
    fc.nat(0xffff),
  )
const region = fc.constantFrom(...NAMES)
const pop: fc.Arbitrary<Pop> = fc.record({
  max: fc.oneof(fc.constant(BATCH), fc.integer({ min: 1, max: 2 * BATCH })),
  keep: fc.oneof(fc.constant(BATCH), fc.nat(BATCH)),
  way: fc.constantFrom('useBatch', 'pushUsed'),
  other: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true)),
  meanwhile: fc.oneof({ weight: 8, arbitrary: fc.constant('nothing' as const) }, region),
})

const step = (size: number): fc.Arbitrary<Step> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('descriptor' as const), slot: fc.nat(size - 1), words }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('table' as const), slot: fc.nat(0xff), words }) },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('offer' as const),
        heads: fc.oneof(
          {
            weight: 3,
            arbitrary: fc.array(fc.nat(size - 1), { minLength: 1, maxLength: Math.min(size, 2 * BATCH), size: 'max' }),
          },
          fc.array(head(size), { minLength: 1, maxLength: Math.min(size, BATCH), size: 'max' }),
        ),
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({ do: fc.constant('round' as const), pops: fc.array(pop, { minLength: 1, maxLength: 4 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('jump' as const),
        by: fc.constantFrom(1, size, size + 1, 0x8000, 0xffff),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('events' as const), value: fc.nat(0xffff) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('remap' as const, 'shift' as const), region }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('unmap' as const), region }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('swap' as const), to: fc.nat(2) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('restart' as const), at: fc.nat(0xffff) }) },
  )

const plugins: readonly AccessorPlugin[] = [vmapDirect, copyChecked, nospecMasked]

function fixed(plugin: AccessorPlugin, options = {}): (choice: number, machine: Machine) => Accessor {
  return (_, { space, ring }) => plugin.create({ cpu: plainCpu, space, ring, iotlb: null }, options)
}

/** Batches as a thread has them: shared by all of its queues, used again and again. One of the wrong kind is one more. */
const batchesOf = (): readonly ChainBatch[] => [new ChainBatch(BATCH, 'readable'), new ChainBatch(BATCH, 'writable')]

describe('whatever a ring holds', () => {
  test('every accessor reads the same chains of it, gives the same back, and breaks for the same reason', {
    timeout: 240_000,
  }, () => {
    const kept = new Map<string, readonly ChainBatch[]>()
    const machines = (one: Setup): Record<string, Machine> => {
      const make = (name: string, create: (choice: number, machine: Machine) => Accessor) => {
        const batches = kept.get(name) ?? batchesOf()
        kept.set(name, batches)
        return new Machine(one, batches, create)
      }
      return {
        'copy-checked': make('checked', fixed(copyChecked)),
        'nospec-masked': make('masked', fixed(nospecMasked)),
        'vmap-direct': make('direct', fixed(vmapDirect)),
        'vmap-direct rcu': make('rcu', fixed(vmapDirect, { sync: 'rcu' })),
        'vmap-direct by single accesses': make('access', fixed(vmapDirect, { hold: 'access' })),
        swapped: make('swapped', (choice, machine) => fixed(plugins[choice]!)(choice, machine)),
      }
    }
    let taken = 0
    let refused = 0
    fc.assert(
      fc.property(
        setup.chain((one) =>
          fc.tuple(fc.constant(one), fc.array(step(one.size), { minLength: 5, maxLength: 60, size: 'max' })),
        ),
        ([one, steps]) => {
          const all = Object.entries(machines(one))
          for (const [index, what] of steps.entries()) {
            for (const [, machine] of all) machine.do(what)
            const [, first] = all[0]!
            for (const [name, machine] of all.slice(1)) {
              // Compared first: a comparison that prints differences takes most of the time otherwise.
              if (machine.seen.join() !== first.seen.join())
                expect(machine.seen, `${name}, step ${index}`).toEqual(first.seen)
            }
            for (const line of first.seen) {
              const [, count] = /^pop (\d+) null/.exec(line) ?? []
              taken += Number(count ?? 0)
              if (/^pop -/.test(line)) refused++
            }
            for (const [, machine] of all) machine.seen.length = 0
          }
          const [, first] = all[0]!
          const ring = first.usedRing()
          for (const [name, machine] of all.slice(1))
            if (machine.usedRing().join() !== ring.join()) expect(machine.usedRing(), name).toEqual(ring)
          for (const [, machine] of all) machine.close()
        },
      ),
      { numRuns: 250 },
    )
    // The property is about something: chains were read, and rings were refused.
    expect(taken).toBeGreaterThan(1000)
    expect(refused).toBeGreaterThan(10)
  })
})
