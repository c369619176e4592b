import { isVringError, type RingAreas } from '@vring/layout'
import { pageRange } from '../model-space.ts'
import { AVAIL_PAGE, DESC_PAGE, OTHER_PAGE, QueueWorld, ringAt, USED_PAGE } from '../queue-world.ts'
import { type QueueScenario, queueScenario, settled } from './queue-scenario.ts'

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
        { name: 'datapath', accesses: true, run: () => queue.round(queue.write) },
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
      { name: 'datapath', accesses: true, run: () => queue.round(queue.write) },
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
  'SET_VRING_ADDR names memory of another process and is refused; then a round',
  (queue) => {
    const bad: RingAreas = {
      ...ringAt(DESC_PAGE, AVAIL_PAGE, OTHER_PAGE),
      desc: { address: queue.space.limit, length: 32, access: 'read' },
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
        { name: 'datapath', accesses: true, run: () => queue.round(queue.write) },
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
        { name: 'datapath', accesses: true, run: () => queue.round(queue.write) },
        { name: 'close', run: () => queue.accessor.close() },
        { name: 'reclaim', boundedWait: true, run: () => void queue.space.reclaim(range) },
      ],
      finish: () => queue.checkClosed(),
    }
  },
)

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
          { name: 'datapath of queue 1', accesses: true, run: () => second.round(second.write) },
          { name: 'migration', boundedWait: true, run: () => void queue.space.migrate(range) },
        ],
      }
    },
    { space: { pages } },
  )(options)
}

/** A device IOTLB is turned on. */
export const iotlbTurnedOn: QueueScenario = queueScenario(
  'iotlb-turned-on',
  'a device IOTLB is turned on while areas are mapped',
  (queue) => ({
    threads: [
      { name: 'datapath', accesses: true, run: () => queue.round(queue.write) },
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
