import {
  RING_EVENT_FLAGS_DISABLE,
  type RingAreas,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_USED,
  VIRTQ_USED_F_NO_NOTIFY,
} from '@vring/layout'
import { Cell } from '@vring/mmu-notifier'
import { ChainBatch, type DeviceQueue } from '@vring/virtqueue'
import { pageRange } from '../model-space.ts'
import { AVAIL_PAGE, DESC_PAGE, packedRingAt, type QueueOptions, type QueueWorld, USED_PAGE } from '../queue-world.ts'
import { type QueueScenario, queueScenario, settled } from './queue-scenario.ts'

type Format = RingAreas['format']

/** What a scenario over a ring of a format differs in. */
const RING_OF: Readonly<Record<Format, QueueOptions>> = {
  split: {},
  packed: { ring: packedRingAt(DESC_PAGE, AVAIL_PAGE, USED_PAGE) },
}

/** The driver fills in chain `head` as its `index`-th, without publishing it. */
function expose(queue: QueueWorld, index: number, head: number): void {
  const { cpu } = queue
  const address = [0x1000 * (head + 1), 0]
  if (queue.ring.format === 'packed') {
    cpu.storeUserWords(queue.user(DESC_PAGE, 16 * index), address)
    cpu.storeUser32(queue.user(DESC_PAGE, 16 * index + 8), 64)
    cpu.storeUser16(queue.user(DESC_PAGE, 16 * index + 12), head)
    return
  }
  cpu.storeUserWords(queue.user(DESC_PAGE, 16 * head), [...address, 64, 0])
  cpu.storeUser16(queue.user(AVAIL_PAGE, 4 + 2 * (index & 1)), head)
}

/** The driver publishes the first `count` chains. */
function publish(queue: QueueWorld, count: number): void {
  const { cpu } = queue
  if (queue.ring.format === 'split') cpu.storeUser16(queue.user(AVAIL_PAGE, 2), count, true)
  else
    for (let slot = count - 1; slot >= 0; slot--)
      cpu.storeUser16(queue.user(DESC_PAGE, 16 * slot + 14), VIRTQ_DESC_F_AVAIL, true)
}

/** What the driver finds used: how many chains, and the id of each. */
function usedChains(queue: QueueWorld): { count: number; ids: number[] } {
  const { cpu } = queue
  if (queue.ring.format === 'split') {
    const ids = [0, 1].map((slot) => cpu.loadUserWords(queue.user(USED_PAGE, 4 + 8 * slot))[0]!)
    return { count: cpu.loadUser16(queue.user(USED_PAGE, 2)), ids }
  }
  const both = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED
  const flags = [0, 1].map((slot) => cpu.loadUser16(queue.user(DESC_PAGE, 16 * slot + 14)))
  return {
    count: flags.filter((one) => (one & both) === both).length,
    ids: [0, 1].map((slot) => cpu.loadUser16(queue.user(DESC_PAGE, 16 * slot + 12))),
  }
}

/** Serves two chains while the page that used chains are written to moves: partly direct, partly by copies. */
export const batchDuringInvalidation: QueueScenario = batchWhile('split', 'batch-during-invalidation')
/** The same in a packed ring, whose used descriptors are where the available ones were. */
export const packedBatchDuringInvalidation: QueueScenario = batchWhile('packed', 'packed-batch-during-invalidation')

function batchWhile(format: Format, name: string): QueueScenario {
  const page = format === 'split' ? USED_PAGE : DESC_PAGE
  return queueScenario(
    name,
    `a batch of two chains of a ${format} ring is completed while the page of used ones moves`,
    (queue, world) => {
      const range = pageRange(page, 'migrate')
      expose(queue, 0, 0)
      expose(queue, 1, 1)
      publish(queue, 2)
      // No head is -1: an element that is never stored is told from one of head 0.
      if (format === 'split') queue.cpu.storeUserWords(queue.user(USED_PAGE, 4), [-1, 0, -1, 0])
      return {
        threads: [
          {
            name: 'datapath',
            accesses: true,
            run: () =>
              queue.round(() => {
                const device = queue.createDevice(0n)
                const batch = new ChainBatch(2)
                device.popBatch(batch, 1)
                device.useBatch(batch, 1)
                device.popBatch(batch, 1)
                device.useBatch(batch, 1)
              }),
          },
          { name: 'migration', boundedWait: true, run: () => void queue.space.migrate(range) },
        ],
        finish: () => {
          const { count, ids } = usedChains(queue)
          const doubled = ids[0] === ids[1] && ids[0] !== -1
          if (count < 2 || !ids.includes(0) || !ids.includes(1))
            world.fail(doubled ? 'used-doubled' : 'used-lost', `${count} used chains, ids ${ids.join(', ')}`)
          settled(queue)()
        },
      }
    },
    RING_OF[format],
  )
}

/** The driver publishes a chain while the device polls. */
export const publishDuringPoll: QueueScenario = publishing(
  'split',
  'publish-during-poll',
  'the driver publishes a chain while the device looks at avail.idx',
  (device, batch) => device.popBatch(batch, 1),
)

/** The same in a packed ring. */
export const packedPublishDuringPoll: QueueScenario = publishing(
  'packed',
  'packed-publish-during-poll',
  'the driver publishes a chain while the device looks at the flags of the next descriptor',
  (device, batch) => device.popBatch(batch, 1),
)

/** The driver publishes a chain while the device asks to be notified and looks again. */
export const publishDuringEnable: QueueScenario = publishing(
  'split',
  'publish-during-enable',
  'the driver publishes a chain while the device enables notification and looks again',
  (device, batch) => (device.enableNotification() > 0 ? device.popBatch(batch, 1) : 0),
)

/** The same in a packed ring. */
export const packedPublishDuringEnable: QueueScenario = publishing(
  'packed',
  'packed-publish-during-enable',
  'the driver publishes a chain while the device of a packed ring enables notification and looks again',
  (device, batch) => (device.enableNotification() > 0 ? device.popBatch(batch, 1) : 0),
)

function publishing(
  format: Format,
  name: string,
  description: string,
  poll: (device: DeviceQueue, batch: ChainBatch) => number,
): QueueScenario {
  return queueScenario(
    name,
    description,
    (queue, world) => ({
      threads: [
        {
          name: 'device',
          run: () =>
            queue.round(() => {
              const batch = new ChainBatch(2)
              if (poll(queue.createDevice(0n), batch) < 1) return
              if (batch.idOf(0) !== 1 || batch.length[0] !== 64)
                world.fail('stale-entry', `chain ${batch.idOf(0)} of ${batch.length[0] ?? 0} bytes; published: 1 of 64`)
            }),
        },
        {
          name: 'driver',
          run: () => {
            expose(queue, 0, 1)
            publish(queue, 1)
          },
        },
      ],
    }),
    RING_OF[format],
  )
}

/** The device falls asleep while the driver publishes and looks whether to wake it. */
export const kickDuringEnable: QueueScenario = kicking('split', 'kick-during-enable')
/** The same in a packed ring. */
export const packedKickDuringEnable: QueueScenario = kicking('packed', 'packed-kick-during-enable')

function kicking(format: Format, name: string): QueueScenario {
  return queueScenario(
    name,
    `the device of a ${format} ring goes to sleep while its driver publishes a chain and looks whether to notify`,
    (queue, world) => {
      const { cpu, port } = queue
      const asleep = new Cell('asleep', false)
      const notified = new Cell('notified', false)
      // The device does not want to be notified at first.
      if (format === 'split') cpu.storeUser16(queue.user(USED_PAGE, 0), VIRTQ_USED_F_NO_NOTIFY)
      else cpu.storeUser32(queue.user(USED_PAGE, 0), (RING_EVENT_FLAGS_DISABLE << 16) >>> 0)
      return {
        threads: [
          {
            name: 'device',
            run: () => queue.round(() => port.store(asleep, queue.createDevice(0n).enableNotification() === 0)),
          },
          {
            name: 'driver',
            run: () => {
              expose(queue, 0, 1)
              publish(queue, 1)
              cpu.mb()
              const asked =
                format === 'split'
                  ? cpu.loadUser16(queue.user(USED_PAGE, 0)) === 0
                  : cpu.loadUserWords(queue.user(USED_PAGE, 0))[0]! >>> 16 === 0
              port.store(notified, asked)
            },
          },
        ],
        finish: () => {
          if (port.load(asleep) && !port.load(notified))
            world.fail('lost-notification', 'the device sleeps, a chain is published, and no notification was sent')
        },
      }
    },
    RING_OF[format],
  )
}
