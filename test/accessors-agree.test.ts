import { type Accessor, type AccessorOptions, type AccessorPlugin, CountingCpu } from '@vring/accessor'
import { copyChecked } from '@vring/accessor-copy-checked'
import { iotlbTranslated } from '@vring/accessor-iotlb-translated'
import { nospecMasked } from '@vring/accessor-nospec-masked'
import { vmapDirect } from '@vring/accessor-vmap-direct'
import { DeviceIotlb } from '@vring/iotlb'
import { type Area, featureSet, splitRingAreas, VIRTIO_F_EVENT_IDX } from '@vring/layout'
import { PAGE_BYTES, PagedSpace } from '@vring/memory'
import { formatSpeculation, speculate } from '@vring/speculation'
import { ChainBatch, createDeviceQueue, createDriverQueue, type DeviceQueue } from '@vring/virtqueue'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const QUEUE_SIZE = 64
const ROUNDS = 40
const FEATURES = featureSet(VIRTIO_F_EVENT_IDX)
const plugins: readonly AccessorPlugin[] = [copyChecked, nospecMasked, vmapDirect, iotlbTranslated]

/** What the driver and a migration can see of a device. */
interface Observed {
  /** Ids and lengths as the driver got them back, and the rounds in which it was notified. */
  readonly events: readonly string[]
  readonly usedRing: readonly number[]
  /** Pages of the guest-migration log. */
  readonly logged: readonly number[]
}

/** A process with a ring, to which the kernel does what the seed says, and its driver. */
class Machine {
  readonly cpu: CountingCpu = new CountingCpu()
  readonly space: PagedSpace = new PagedSpace({ frames: 256, allocator: 'scattered', smap: this.cpu })
  readonly ring = (() => {
    const areas = this.space.mmap({ length: 3 * PAGE_BYTES, populate: true })
    return splitRingAreas(QUEUE_SIZE, true, areas, areas + PAGE_BYTES, areas + 2 * PAGE_BYTES)
  })()
  readonly driver = createDriverQueue({ ring: this.ring, memory: this.space.userMode, features: FEATURES })
  /** Translates IOVAs to themselves, so that the same ring is reached with and without it. */
  readonly iotlb = new DeviceIotlb()
  #child: PagedSpace | null = null

  constructor() {
    this.iotlb.update(this.ring.desc.address, 3 * PAGE_BYTES, this.ring.desc.address, 3)
  }

  accessor(plugin: AccessorPlugin, options: AccessorOptions = {}): Accessor {
    const { cpu, space, ring } = this
    return plugin.create({ cpu, space, ring, iotlb: plugin.supports.iotlb ? this.iotlb : null }, options)
  }

  /** One thing that a kernel does to a process. */
  disturb(what: number): void {
    const page = this.ring.desc.address + PAGE_BYTES * (what % 3)
    switch (Math.floor(what / 3) % 6) {
      case 0:
        this.space.migrate(page, PAGE_BYTES)
        return
      case 1:
        this.space.reclaim(page, PAGE_BYTES)
        return
      case 2:
        this.space.hintNuma(page, PAGE_BYTES)
        return
      case 3:
        this.#child?.close()
        this.#child = this.space.fork()
        return
      case 4:
        this.space.mprotect(page, PAGE_BYTES, { read: true, write: false })
        this.space.mprotect(page, PAGE_BYTES, { read: true, write: true })
    }
  }
}

/** Small, fast, and the same for every accessor: xorshift32. */
function random(seed: number): () => number {
  let state = seed | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

/** Runs rounds of a device whose accessor `choose` names for each round; swaps it when the choice changes. */
function run(machine: Machine, seed: number, choose: (round: number) => Accessor): Observed {
  const { cpu, space, ring, driver } = machine
  const next = random(seed)
  const events: string[] = []
  const logged = new Set<number>()
  const log = {
    write: (_area: Area, offset: number, length: number): void => {
      const address = 0x8000 + offset
      for (let page = Math.floor(address / PAGE_BYTES); page * PAGE_BYTES < address + length; page++) logged.add(page)
    },
  }
  let accessor = choose(0)
  const over = (accessor: Accessor): DeviceQueue =>
    createDeviceQueue({ accessor, cpu, ring, features: FEATURES, buffers: space.userMode, log })
  let queue = over(accessor)
  const batch = new ChainBatch(QUEUE_SIZE)
  accessor.beginRound()
  expect(queue.start(0)).toBe(0)
  accessor.endRound()
  for (let round = 0; round < ROUNDS; round++) {
    const chosen = choose(round)
    if (chosen !== accessor) {
      const { base } = queue
      accessor.close()
      accessor = chosen
      queue = over(accessor)
      accessor.beginRound()
      expect(queue.start(base)).toBe(0)
      accessor.endRound()
    }
    for (let chains = next() % 12; chains > 0; chains--)
      driver.add(Array.from({ length: 1 + (next() % 3) }, (_, i) => ({ address: 4096 * next(), length: 64 + i })))
    driver.publish()
    driver.setNotification(next() % 2 === 0)
    const before = next()
    const during = next()
    machine.disturb(before)
    expect(accessor.beginRound()).toBe('ready')
    const taken = queue.popBatch(batch, 8)
    expect(queue.broken).toBeNull()
    machine.disturb(during)
    for (let chain = 0; chain < taken; chain++) queue.push(batch, chain, batch.segStart[chain + 1]!)
    expect(queue.flush()).toBe(0)
    if (queue.needsNotification()) events.push(`round ${round}: notified`)
    accessor.endRound()
    while (driver.getUsed()) events.push(`round ${round}: ${driver.usedId} ${driver.usedLength}`)
  }
  accessor.close()
  expect(space.staleMappings()).toEqual([])
  expect(space.violations.records).toEqual([])
  const usedRing = [...space.read(ring.device.address, ring.device.length)]
  return { events, usedRing, logged: [...logged].sort((a, b) => a - b) }
}

describe('the four accessors, under whatever a kernel does to the process', () => {
  test('same used ring, same notifications, same migration log; swapped while the queue runs, too', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), (seed) => {
        const observed = plugins.map((plugin) => {
          const machine = new Machine()
          const accessor = machine.accessor(plugin)
          return run(machine, seed, () => accessor)
        })
        for (const other of observed.slice(1)) expect(other).toEqual(observed[0])

        // A live swap every third round loses and doubles nothing.
        const machine = new Machine()
        let current = machine.accessor(plugins[0]!)
        let age = 0
        const swapped = run(machine, seed, (round) => {
          if (round > 0 && ++age % 3 === 0) current = machine.accessor(plugins[(age / 3) % plugins.length]!)
          return current
        })
        // A queue that takes over signals again: it can't know what the one before has told.
        const told = ({ events, ...rest }: Observed) => ({
          ...rest,
          events: events.filter((e) => !e.endsWith('notified')),
        })
        expect(told(swapped)).toEqual(told(observed[0]!))
      }),
      { numRuns: 8 },
    )
  })
})

describe('iotlb-translated', () => {
  test('a queue that meets a missing translation in any access goes on after the update and loses nothing', () => {
    const machine = new Machine()
    const { cpu, space, ring, driver, iotlb } = machine
    const accessor = machine.accessor(iotlbTranslated, { prefetch: 'off' })
    const queue = createDeviceQueue({ accessor, cpu, ring, features: FEATURES, buffers: space.userMode })
    const batch = new ChainBatch(QUEUE_SIZE)
    const words = 3 * PAGE_BYTES
    expect(queue.start(0)).toBe(0)
    const heads: number[] = []
    const given: number[] = []
    let misses = 0
    for (let round = 0; round < 20; round++) {
      given.push(driver.addOne(4096 * round, 64, false))
      driver.publish()
      iotlb.invalidate(ring.desc.address, words)
      // Each answer translates as little as was asked for, so that the next access misses again.
      for (let settled = false; !settled; ) {
        const taken = queue.popBatch(batch, 8)
        for (let chain = 0; chain < taken; chain++) queue.push(batch, chain, 0)
        settled = queue.flush() === 0 && taken === 0
        for (const { iova } of iotlb.takeMisses()) {
          misses++
          iotlb.update(iova - (iova % 16), 16, iova - (iova % 16), 3)
        }
      }
      expect(queue.broken).toBeNull()
      while (driver.getUsed()) heads.push(driver.usedId)
    }
    expect(heads).toEqual(given)
    expect(misses).toBeGreaterThanOrEqual(4 * 20)
  })
})

describe('the speculation checker', () => {
  test.each([copyChecked, nospecMasked, iotlbTranslated].map((plugin) => [plugin.name, plugin] as const))(
    'clears %s',
    (_, plugin) => {
      expect(speculate(plugin).verdict).toBe('clear')
    },
  )

  test('M19: flags vmap-direct on the ring of 2019, where its reviewers asked for array_index_nospec; the ring that ships has it', () => {
    const report = speculate(vmapDirect, { nospec: 'none' })
    const found = report.findings.map(({ kind, ring }) => `${kind}: ${ring}`)
    expect(found, formatSpeculation(report)).toEqual(
      expect.arrayContaining([
        'left-mapping: head out of range',
        'secret-reached-address: head out of range',
        'left-mapping: next out of range',
        'secret-reached-address: next out of range',
      ]),
    )
    expect(speculate(vmapDirect).findings).toEqual([])
  })
})
