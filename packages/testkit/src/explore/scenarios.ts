import { DirectAccessor } from '@vring/accessor-vmap-direct'
import { isVringError, type RingAreas, splitRingAreas } from '@vring/layout'
import { type AddressMap, PAGE_BYTES } from '@vring/memory'
import type { MmuNotifierRange } from '@vring/mmu-notifier'
import { ChainBatch, DeviceQueue } from '@vring/virtqueue'
import type { Scenario, ScenarioThread } from './explore.ts'
import type { ExploredWorld } from './explored-world.ts'
import { type ModelSpace, pageRange } from './model-space.ts'
import {
  AVAIL_PAGE,
  DESC_PAGE,
  OTHER_PAGE,
  QueueWorld,
  type QueueWorldOptions,
  ringAt,
  STRUCTURAL,
  USED_PAGE,
} from './queue-world.ts'

/** A scenario for any strategy: its threads and checks, given what the queue's world differs in. */
export type QueueScenario = (options: QueueWorldOptions) => Scenario

interface Parts {
  readonly threads: readonly ScenarioThread[]
  finish?(): void
}

/** A scenario of one queue. */
function queueScenario(
  name: string,
  description: string,
  parts: (queue: QueueWorld, world: ExploredWorld) => Parts,
  fixed: Partial<QueueWorldOptions> = {},
): QueueScenario {
  return (options) => ({
    name,
    description,
    structural: STRUCTURAL,
    prepare: (world) => {
      const space = { ...fixed.space, ...options.space }
      const queue = new QueueWorld(world, { ...fixed, ...options, space })
      return parts(queue, world)
    },
  })
}

/** Ends every scenario that has no reason not to: mapping works again, and closing gives everything back. */
function settled(queue: QueueWorld): () => void {
  return () => {
    queue.checkFastPath()
    queue.checkClosed()
  }
}

/** One change of a page while a round runs. */
function during(
  change: string,
  act: (space: ModelSpace, range: MmuNotifierRange) => boolean,
  page: number,
): QueueScenario {
  return queueScenario(`${change}-during-round`, `${change} of a ring page while a round runs`, (queue) => {
    const range = pageRange(page, 'clear')
    return {
      threads: [
        { name: 'datapath', run: () => queue.round(queue.readAndWrite) },
        { name: change, boundedWait: true, run: () => void act(queue.space, range) },
      ],
      finish: settled(queue),
    }
  })
}

export const migrateDuringRound: QueueScenario = during('migration', (space, range) => space.migrate(range), USED_PAGE)
export const reclaimDuringRound: QueueScenario = during('reclaim', (space, range) => space.reclaim(range), USED_PAGE)
export const cowDuringRound: QueueScenario = during(
  'copy-on-write',
  (space, range) => space.breakCow(range),
  AVAIL_PAGE,
)

/** The smallest race: one access, one invalidation. */
export const migrateDuringAccess: QueueScenario = queueScenario(
  'migration-during-access',
  'the used page moves while one access writes to it',
  (queue) => {
    const range = pageRange(USED_PAGE, 'migrate')
    return {
      threads: [
        { name: 'datapath', run: queue.write },
        { name: 'migration', boundedWait: true, run: () => void queue.space.migrate(range) },
      ],
      finish: settled(queue),
    }
  },
)

/** One access, and two invalidations of its page that overlap in time. */
export const parallelStarts: QueueScenario = queueScenario(
  'parallel-starts',
  'two invalidations of one page start while one access writes to it',
  (queue) => {
    const first = pageRange(USED_PAGE, 'migrate')
    const second = pageRange(USED_PAGE, 'protection-page')
    return {
      threads: [
        { name: 'datapath', run: queue.write },
        { name: 'mprotect', boundedWait: true, run: () => void queue.space.invalidate(second) },
        { name: 'migration', boundedWait: true, run: () => void queue.space.migrate(first) },
      ],
      finish: settled(queue),
    }
  },
)

/** Writeback cleans the used page while it is being reclaimed and written. */
export const writebackDuringReclaim: QueueScenario = queueScenario(
  'writeback-during-reclaim',
  'a writer inside the mapping, a reclaim that waits for it, and writeback in between',
  (queue) => {
    const range = pageRange(USED_PAGE, 'clear')
    return {
      threads: [
        { name: 'datapath', run: () => queue.round(queue.write) },
        { name: 'reclaim', boundedWait: true, run: () => void queue.space.reclaim(range) },
        { name: 'writeback', run: () => queue.space.writeBack(USED_PAGE) },
      ],
      finish: settled(queue),
    }
  },
)

/** Two invalidations of the used page that overlap in time, and a round that would like to map it. */
export const parallelInvalidations: QueueScenario = queueScenario(
  'parallel-invalidations',
  'two invalidations of one page overlap in time while a round runs',
  (queue) => {
    const moved = pageRange(USED_PAGE, 'migrate')
    const other: MmuNotifierRange = {
      start: USED_PAGE * PAGE_BYTES,
      end: (OTHER_PAGE + 1) * PAGE_BYTES,
      event: 'protection-vma',
      blockable: true,
    }
    return {
      threads: [
        { name: 'datapath', run: () => queue.round(queue.write) },
        { name: 'migration', boundedWait: true, run: () => void queue.space.migrate(moved) },
        { name: 'mprotect', boundedWait: true, run: () => void queue.space.invalidate(other) },
      ],
      finish: settled(queue),
    }
  },
)

/** The ring moves to another page while its old page is being invalidated. */
export const moveDuringInvalidation: QueueScenario = queueScenario(
  'move-during-invalidation',
  'SET_VRING_ADDR between the start and the end of an invalidation of the old ring',
  (queue) => {
    const range = pageRange(USED_PAGE, 'migrate')
    const next = ringAt(DESC_PAGE, AVAIL_PAGE, OTHER_PAGE)
    return {
      threads: [
        { name: 'ioctl', run: () => queue.accessor.setRing(next) },
        { name: 'migration', boundedWait: true, run: () => void queue.space.migrate(range) },
      ],
      finish: settled(queue),
    }
  },
)

/** As {@link moveDuringInvalidation}, with a round of the datapath. */
export const moveDuringRound: QueueScenario = queueScenario(
  'move-during-round',
  'SET_VRING_ADDR and an invalidation of the new ring while a round runs',
  (queue) => {
    const range = pageRange(OTHER_PAGE, 'migrate')
    const next = ringAt(DESC_PAGE, AVAIL_PAGE, OTHER_PAGE)
    return {
      threads: [
        { name: 'datapath', run: () => queue.round(queue.write) },
        { name: 'ioctl', run: () => queue.accessor.setRing(next) },
        { name: 'migration', boundedWait: true, run: () => void queue.space.migrate(range) },
      ],
      finish: settled(queue),
    }
  },
)

/** The kernel refuses the registration; then the ring moves and the device closes. */
export const refusedRegistration: QueueScenario = queueScenario(
  'refused-registration',
  'registration fails; then an ioctl, a round, and close',
  (queue) => ({
    threads: [
      { name: 'datapath', run: () => queue.round(queue.write) },
      {
        name: 'ioctl',
        run: () => {
          queue.accessor.setRing(queue.ring)
          queue.accessor.close()
        },
      },
    ],
    finish: () => queue.checkClosed(),
  }),
  { space: { refuseFrom: 0 } },
)

/** A SET_VRING_ADDR that is refused because of one address, with another one that could be mapped. */
export const refusedAddress: QueueScenario = queueScenario(
  'refused-address',
  'SET_VRING_ADDR names memory of somebody else and is refused; then a round',
  (queue) => {
    const bad: RingAreas = {
      ...ringAt(DESC_PAGE, AVAIL_PAGE, OTHER_PAGE),
      desc: { address: queue.space.limit, length: 32 },
    }
    return {
      threads: [
        {
          name: 'ioctl',
          run: () => {
            try {
              queue.accessor.setRing(bad)
            } catch (error) {
              if (!isVringError(error)) throw error
            }
          },
        },
        { name: 'datapath', run: () => queue.round(queue.write) },
      ],
      finish: () => queue.checkClosed(),
    }
  },
  { space: { foreign: [OTHER_PAGE] } },
)

/** Control takes the queue down after a round that wrote. */
export const closeAfterWrite: QueueScenario = queueScenario(
  'close-after-write',
  'a round writes, control closes, and an invalidation passes by',
  (queue) => {
    const range = pageRange(USED_PAGE, 'clear')
    return {
      threads: [
        { name: 'datapath', run: () => queue.round(queue.write) },
        { name: 'close', run: () => queue.accessor.close() },
        { name: 'reclaim', boundedWait: true, run: () => void queue.space.reclaim(range) },
      ],
      finish: () => queue.checkClosed(),
    }
  },
)

/** The used page was written through the mapping and is then reclaimed. */
export const reclaimAfterWrite: QueueScenario = queueScenario(
  'reclaim-after-write',
  'the used page, written through the mapping, is reclaimed',
  (queue) => {
    const range = pageRange(USED_PAGE, 'clear')
    queue.round(queue.write)
    return {
      threads: [
        { name: 'datapath', run: () => queue.round(queue.write) },
        { name: 'reclaim', boundedWait: true, run: () => void queue.space.reclaim(range) },
      ],
      finish: settled(queue),
    }
  },
)

/** The OOM reaper invalidates memory that is no ring's, and must not wait. */
export const unrelatedMustNotWait: QueueScenario = reaper(
  'unrelated-must-not-wait',
  'the OOM reaper invalidates the page in front of the ring and must not wait',
  pageRange(0, 'unmap', false),
)

function reaper(name: string, description: string, range: MmuNotifierRange): QueueScenario {
  return queueScenario(name, description, (queue, world) => ({
    threads: [
      { name: 'datapath', run: () => queue.round(queue.write) },
      {
        name: 'oom reaper',
        boundedWait: true,
        run: () => {
          if (!queue.space.invalidate(range)) world.fail('refused', 'an invalidation that concerns no ring was refused')
        },
      },
    ],
    finish: settled(queue),
  }))
}

/** The OOM reaper invalidates the used page and must not wait; a refusal is allowed, and must leave no trace. */
export function ringMustNotWait(endRule: '2019' | '6.18'): QueueScenario {
  return queueScenario(
    'ring-must-not-wait',
    `the OOM reaper invalidates the used page and must not wait; end rule of ${endRule}`,
    (queue) => {
      const range = pageRange(USED_PAGE, 'unmap', false)
      return {
        threads: [
          { name: 'datapath', run: () => queue.round(queue.write) },
          { name: 'oom reaper', boundedWait: true, run: () => void queue.space.migrate(range) },
        ],
        finish: settled(queue),
      }
    },
    { space: { endRule } },
  )
}

/** Another virtual machine's device is inside a long read side of its own. */
export const foreignReader: QueueScenario = queueScenario(
  'foreign-reader',
  'an invalidation of our ring while the device of another machine works through its own',
  (queue) => foreign(queue, (range) => void queue.space.migrate(range)),
)

/** The same for control. */
export const foreignReaderAtClose: QueueScenario = queueScenario(
  'foreign-reader-at-close',
  'our queue closes while the device of another machine works through its own',
  (queue) => foreign(queue, () => queue.accessor.close()),
)

function foreign(queue: QueueWorld, act: (range: MmuNotifierRange) => void): Parts {
  const range = pageRange(USED_PAGE, 'migrate')
  return {
    threads: [
      {
        name: 'another device',
        run: () => {
          queue.port.rcuReadLock()
          for (let access = 0; access < 3; access++)
            queue.cpu.load16(queue.space.view, queue.user(OTHER_PAGE, 2 * access))
          queue.port.rcuReadUnlock()
        },
      },
      { name: 'waits', boundedWait: true, run: () => act(range) },
    ],
    finish: () => queue.checkClosed(),
  }
}

/** A copy faults its page in, for which memory must be reclaimed: the ring's own. */
export const faultReclaims: QueueScenario = (options) => {
  const range = pageRange(USED_PAGE, 'clear')
  return queueScenario(
    'fault-reclaims',
    'a round falls back to a copy, its page fault has to reclaim a page of the same ring',
    (queue) => ({
      threads: [{ name: 'datapath', run: () => queue.round(() => void queue.accessor.avail.load16(2)) }],
      finish: () => queue.checkClosed(),
    }),
    { space: { absent: [AVAIL_PAGE], onFault: (space) => void space.reclaim(range) } },
  )(options)
}

/** Two queues of one device; one moves its ring. */
export const twoQueues: QueueScenario = (options) => {
  const pages = [DESC_PAGE, AVAIL_PAGE, USED_PAGE, OTHER_PAGE, 5, 6]
  return queueScenario(
    'two-queues',
    'SET_VRING_ADDR of one queue while a page of another one moves',
    (queue, world) => {
      const second = new QueueWorld(world, { ...options, beside: queue, ring: ringAt(OTHER_PAGE, 5, 6) })
      const range = pageRange(6, 'migrate')
      return {
        threads: [
          { name: 'ioctl of queue 0', run: () => queue.accessor.setRing(queue.ring) },
          { name: 'datapath of queue 1', run: () => second.round(second.write) },
          { name: 'migration', boundedWait: true, run: () => void queue.space.migrate(range) },
        ],
      }
    },
    { space: { pages } },
  )(options)
}

/** A page that is absent at first. */
export const absentPage: QueueScenario = queueScenario(
  'absent-page',
  'the used page is absent when a round wants to map it; the copy faults it in',
  (queue) => ({
    threads: [{ name: 'datapath', run: () => queue.round(queue.write) }],
    finish: settled(queue),
  }),
  { space: { absent: [USED_PAGE] }, mapped: false },
)

/** A used page that belongs to a file whose filesystem drops the buffers of clean pages. */
export const fileBacked: QueueScenario = queueScenario(
  'file-backed',
  'the used page is of a file, and its filesystem drops the buffers of a page that looks clean',
  (queue) => ({
    threads: [
      { name: 'datapath', run: () => queue.round(queue.write) },
      { name: 'filesystem', run: () => queue.space.dropBuffers(USED_PAGE) },
    ],
    finish: () => queue.checkClosed(),
  }),
  { space: { files: [USED_PAGE] } },
)

/** A device IOTLB is turned on. */
export const iotlbTurnedOn: QueueScenario = queueScenario(
  'iotlb-turned-on',
  'a device IOTLB is turned on while areas are mapped',
  (queue) => ({
    threads: [
      { name: 'datapath', run: () => queue.round(queue.write) },
      {
        name: 'ioctl',
        run: () => {
          queue.accessor.disarm('iotlb')
          queue.space.enableIotlb()
        },
      },
    ],
    finish: () => queue.checkClosed(),
  }),
)

/** The used ring begins at the end of a page. */
export const straddlingArea: QueueScenario = queueScenario(
  'straddling-area',
  'the used ring begins 8 bytes before the end of its page; the next frame is somebody else’s',
  (queue) => ({
    threads: [{ name: 'datapath', run: () => queue.round(() => void queue.accessor.used.store32(12, 1)) }],
    finish: settled(queue),
  }),
  {
    space: { pages: [DESC_PAGE, AVAIL_PAGE, USED_PAGE, 9, OTHER_PAGE], foreign: [9] },
    ring: splitRingAreas(2, false, DESC_PAGE * PAGE_BYTES, AVAIL_PAGE * PAGE_BYTES, OTHER_PAGE * PAGE_BYTES - 8),
  },
)

/** Pages on both sides of 4 GiB. */
export const aboveFourGiB: QueueScenario = (options) => {
  const first = 2 ** 32 / PAGE_BYTES
  return queueScenario(
    'above-4-gib',
    'an invalidation from below to above 4 GiB, with the ring above',
    (queue) => {
      const range: MmuNotifierRange = {
        start: first * PAGE_BYTES,
        end: (first + 3) * PAGE_BYTES,
        event: 'migrate',
        blockable: true,
      }
      const crossing = { ...range, start: (first - 1) * PAGE_BYTES }
      return {
        threads: [
          { name: 'datapath', run: () => queue.round(queue.write) },
          { name: 'migration', boundedWait: true, run: () => void queue.space.migrate(crossing) },
        ],
        finish: settled(queue),
      }
    },
    { space: { pages: [first - 1, first, first + 1] }, ring: ringAt(first, first + 1, first - 1) },
  )(options)
}

/** Indirect tables are not part of the model: nothing is resolved. */
const NO_BUFFERS: AddressMap = {
  view: { buffer: new ArrayBuffer(0), u8: new Uint8Array(0), u16: new Uint16Array(0), u32: new Uint32Array(0) },
  span: 0,
  resolve: () => -14,
  resolveSpan: () => -14,
}

/** The device side of the queue under test. It keeps state of its own, so each run of a thread makes a new one. */
function deviceQueue(queue: QueueWorld): DeviceQueue {
  return new DeviceQueue({
    accessor: queue.accessor,
    cpu: queue.cpu,
    ring: queue.ring,
    features: 0n,
    buffers: NO_BUFFERS,
  })
}

/** The driver makes descriptor `head` available as its `index`-th chain, without publishing it. */
function expose(queue: QueueWorld, index: number, head: number): void {
  const { cpu, space } = queue
  cpu.storeDescriptor(queue.user(DESC_PAGE, 16 * head), [0x1000 * (head + 1), 0, 64, 0])
  cpu.store16(space.view, queue.user(AVAIL_PAGE, 4 + 2 * (index & 1)), head)
}

/** A batch of two chains is served while the used page moves: partly direct, partly by copies. */
export const batchDuringInvalidation: QueueScenario = queueScenario(
  'batch-during-invalidation',
  'a batch of two chains is completed while the used page moves',
  (queue, world) => {
    const range = pageRange(USED_PAGE, 'migrate')
    expose(queue, 0, 0)
    expose(queue, 1, 1)
    queue.cpu.store16(queue.space.view, queue.user(AVAIL_PAGE, 2), 2)
    return {
      threads: [
        {
          name: 'datapath',
          run: () =>
            queue.round(() => {
              const device = deviceQueue(queue)
              const batch = new ChainBatch(2)
              device.popBatch(batch, 1)
              device.pushUsedBatch(batch, 1)
              device.flushUsed()
              device.popBatch(batch, 1)
              device.pushUsedBatch(batch, 1)
              device.flushUsed()
            }),
        },
        { name: 'migration', boundedWait: true, run: () => void queue.space.migrate(range) },
      ],
      finish: () => {
        const { cpu, space } = queue
        const usedIdx = cpu.load16(space.view, queue.user(USED_PAGE, 2))
        const heads = [0, 1].map((slot) => cpu.loadUsed(queue.user(USED_PAGE, 4 + 8 * slot)) || [-1, 0])
        const ids = heads.map(([id]) => id)
        if (usedIdx < 2 || !ids.includes(0) || !ids.includes(1))
          world.fail(ids[0] === ids[1] ? 'used-doubled' : 'used-lost', `used index ${usedIdx}, heads ${ids.join(', ')}`)
        settled(queue)()
      },
    }
  },
)

/** The driver publishes a chain while the device polls. */
export const publishDuringPoll: QueueScenario = publishing(
  'publish-during-poll',
  'the driver publishes a chain while the device looks at avail.idx',
  (device, batch) => device.popBatch(batch, 1),
)

/** The driver publishes a chain while the device asks to be notified and looks once more. */
export const publishDuringEnable: QueueScenario = publishing(
  'publish-during-enable',
  'the driver publishes a chain while the device enables notification and looks again',
  (device, batch) => (device.enableNotification() ? device.popBatch(batch, 1) : 0),
)

function publishing(
  name: string,
  description: string,
  poll: (device: DeviceQueue, batch: ChainBatch) => number,
): QueueScenario {
  return queueScenario(name, description, (queue, world) => {
    const { cpu, space } = queue
    return {
      threads: [
        {
          name: 'device',
          run: () =>
            queue.round(() => {
              const batch = new ChainBatch(2)
              if (poll(deviceQueue(queue), batch) < 1) return
              if (batch.head[0] !== 1 || batch.length[0] !== 64)
                world.fail('stale-entry', `chain ${batch.head[0]} of ${batch.length[0] ?? 0} bytes; published: 1 of 64`)
            }),
        },
        {
          name: 'driver',
          run: () => {
            expose(queue, 0, 1)
            cpu.store16Release(space.view, queue.user(AVAIL_PAGE, 2), 1)
          },
        },
      ],
    }
  })
}

/** M4: arms the new addresses before they are checked. */
export class EagerAccessor extends DirectAccessor {
  override setRing(ring: RingAreas): void {
    this.sync.arm(
      [ring.desc, ring.avail, ring.used].map(({ address, length }) => ({ start: address, end: address + length })),
    )
    super.setRing(ring)
  }
}

/** M25: leaves what is mapped when a device IOTLB comes. */
export class StubbornAccessor extends DirectAccessor {
  override disarm(): void {}
}
