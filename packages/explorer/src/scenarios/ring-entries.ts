import { type AddressMap, memoryView } from '@vring/memory'
import { ChainBatch, createDeviceQueue, type DeviceQueue } from '@vring/virtqueue'
import { pageRange } from '../model-space.ts'
import { AVAIL_PAGE, DESC_PAGE, type QueueWorld, USED_PAGE } from '../queue-world.ts'
import { type QueueScenario, queueScenario, settled } from './queue-scenario.ts'

/** Indirect tables are not part of the model: nothing is resolved. */
const NO_BUFFERS: AddressMap = {
  view: memoryView(new ArrayBuffer(0)),
  span: 0,
  resolve: () => -14,
  resolveSpan: () => -14,
}

/** The device side of the queue under test. It keeps state of its own, so each run of a thread makes a new one. */
function deviceQueue(queue: QueueWorld): DeviceQueue {
  return createDeviceQueue({
    accessor: queue.accessor,
    cpu: queue.cpu,
    ring: queue.ring,
    features: 0n,
    buffers: NO_BUFFERS,
  })
}

/** The driver makes descriptor `head` available as its `index`-th chain, without publishing it. */
function expose(queue: QueueWorld, index: number, head: number): void {
  const { cpu } = queue
  cpu.storeUserWords(queue.user(DESC_PAGE, 16 * head), [0x1000 * (head + 1), 0, 64, 0])
  cpu.storeUser16(queue.user(AVAIL_PAGE, 4 + 2 * (index & 1)), head)
}

/** A batch of two chains is served while the used page moves: partly direct, partly by copies. */
export const batchDuringInvalidation: QueueScenario = queueScenario(
  'batch-during-invalidation',
  'a batch of two chains is completed while the used page moves',
  (queue, world) => {
    const range = pageRange(USED_PAGE, 'migrate')
    expose(queue, 0, 0)
    expose(queue, 1, 1)
    queue.cpu.storeUser16(queue.user(AVAIL_PAGE, 2), 2)
    // No head is -1: an element that is never stored is told from one of head 0.
    queue.cpu.storeUserWords(queue.user(USED_PAGE, 4), [-1, 0, -1, 0])
    return {
      threads: [
        {
          name: 'datapath',
          accesses: true,
          run: () =>
            queue.round(() => {
              const device = deviceQueue(queue)
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
        const { cpu } = queue
        const usedIdx = cpu.loadUser16(queue.user(USED_PAGE, 2))
        const heads = [0, 1].map((slot) => cpu.loadUserWords(queue.user(USED_PAGE, 4 + 8 * slot)))
        const ids = heads.map(([id]) => id)
        const doubled = ids[0] === ids[1] && ids[0] !== -1
        if (usedIdx < 2 || !ids.includes(0) || !ids.includes(1))
          world.fail(doubled ? 'used-doubled' : 'used-lost', `used index ${usedIdx}, heads ${ids.join(', ')}`)
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

/** The driver publishes a chain while the device asks to be notified and looks again. */
export const publishDuringEnable: QueueScenario = publishing(
  'publish-during-enable',
  'the driver publishes a chain while the device enables notification and looks again',
  (device, batch) => (device.enableNotification() > 0 ? device.popBatch(batch, 1) : 0),
)

function publishing(
  name: string,
  description: string,
  poll: (device: DeviceQueue, batch: ChainBatch) => number,
): QueueScenario {
  return queueScenario(name, description, (queue, world) => {
    const { cpu } = queue
    return {
      threads: [
        {
          name: 'device',
          run: () =>
            queue.round(() => {
              const batch = new ChainBatch(2)
              if (poll(deviceQueue(queue), batch) < 1) return
              if (batch.idOf(0) !== 1 || batch.length[0] !== 64)
                world.fail('stale-entry', `chain ${batch.idOf(0)} of ${batch.length[0] ?? 0} bytes; published: 1 of 64`)
            }),
        },
        {
          name: 'driver',
          run: () => {
            expose(queue, 0, 1)
            cpu.storeUser16(queue.user(AVAIL_PAGE, 2), 1, true)
          },
        },
      ],
    }
  })
}
