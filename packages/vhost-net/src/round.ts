import type { Cpu } from '@vring/accessor'
import { EAGAIN, netHeaderBytes, VringError } from '@vring/layout'
import { type AddressMap, work } from '@vring/memory'
import type { DeviceQueue } from '@vring/virtqueue'

/** Packets that one round handles at most. Source: Linux drivers/vhost/net.c, VHOST_NET_PKT_WEIGHT. */
export const ROUND_PACKETS = 256
/** Bytes that one round handles, the packet that crosses it included. Source: VHOST_NET_WEIGHT. */
export const ROUND_BYTES = 0x80000
/** The longest frame that the device takes or gives, in bytes without the virtio-net header: a GSO frame. */
export const FRAME_BYTES_MAX: number = 65_535 + 14

/**
 * Why a round ended.
 * `empty`: nothing more to do. `budget`: packets, bytes or work (`WORK_PER_LOOK`) are used up; more is waiting, call again. `miss`: a translation is missing, call again when
 * the IOTLB was updated. `backpressure`: the backend has no room, call again later. `no-buffers`: the driver made no
 * room for a frame that waits. `broken`: the queue is broken.
 */
export type RoundEnd = 'empty' | 'budget' | 'miss' | 'backpressure' | 'no-buffers' | 'broken'

export interface RoundOptions {
  readonly queue: DeviceQueue
  /** Where the driver's buffers are: a guest-physical map, or the IOTLB over it. */
  readonly buffers: AddressMap
  readonly cpu: Cpu
  /** Negotiated feature bits: they give the length of the virtio-net header. */
  readonly features: bigint
  /**
   * `event`: a round that runs empty asks the driver to notify, as the kernel's worker does. `poll`: the owner polls, and
   * calls {@link DeviceQueue.enableNotification} before it sleeps; a round then ends with a batch that is not full, as each
   * look takes cache lines away from the driver. Default `event`.
   */
  readonly notification?: 'event' | 'poll'
  /** Notifies the driver (writes the call eventfd). Called at most once a batch. */
  readonly notify?: () => void
}

/** A thread runs one round of a kind at a time: they have their columns in common. */
export interface RoundGuard {
  running: boolean
}

/** What rounds of both directions are: begin, what was left, batches, end. */
export abstract class Round {
  /** How the last round ended. */
  end: RoundEnd = 'empty'
  protected readonly queue: DeviceQueue
  protected readonly buffers: AddressMap
  protected readonly cpu: Cpu
  protected readonly notify: () => void
  protected readonly event: boolean
  protected readonly headerBytes: number
  private readonly guard: RoundGuard

  constructor(options: RoundOptions, guard: RoundGuard) {
    this.queue = options.queue
    this.buffers = options.buffers
    this.cpu = options.cpu
    this.notify = options.notify ?? ignore
    this.event = (options.notification ?? 'event') === 'event'
    this.headerBytes = netHeaderBytes(options.features)
    this.guard = guard
  }

  /**
   * Runs one round.
   *
   * @returns packets handled; why it ended is in {@link end}
   * @throws VringError ERR_INVALID_STATE in the middle of another one of its kind in this thread, which only a backend, a
   * source or `notify` can do
   */
  run(): number {
    work.begin()
    return this.runWithin()
  }

  /**
   * As {@link run}, within a round of the other kind: what it does counts as work of that one.
   *
   * @throws VringError ERR_INVALID_STATE in the middle of another one of its own kind
   */
  runWithin(): number {
    const { queue, guard } = this
    if (queue.broken !== null) {
      this.end = 'broken'
      return 0
    }
    if (guard.running) throw roundInRound(this.constructor.name)
    guard.running = true
    try {
      if (queue.accessor.beginRound() === 'miss') {
        this.end = 'miss'
        return 0
      }
      queue.disableNotification()
      // What a missing translation kept from being published in the round before.
      const unpublished = queue.pending > 0 ? this.signal(queue, queue.flush()) : null
      if (unpublished === null) return this.batches(queue)
      this.end = unpublished
      return 0
    } finally {
      // First what all rounds share: an accessor that throws must not keep the other queues of the thread from it.
      guard.running = false
      this.letGo()
      queue.accessor.endRound()
    }
  }

  /** The round itself; packets handled, and why it ended in {@link end}. */
  protected abstract batches(queue: DeviceQueue): number

  /** Lets go of memory that it looked at. */
  protected letGo(): void {}

  /**
   * After publishing, with its status: notifies if the driver asks for it. A queue that breaks can't be asked: it is notified
   * of what was published before.
   *
   * @returns null, or why the round ends
   */
  protected signal(queue: DeviceQueue, status: number): RoundEnd | null {
    if (status === EAGAIN) return 'miss'
    if (queue.broken !== null || queue.needsNotification()) this.notify()
    return status < 0 ? 'broken' : null
  }
}

function roundInRound(name: string): VringError {
  return new VringError(
    'ERR_INVALID_STATE',
    `${name}: a round is running in this thread; run this one when it has ended`,
  )
}

function ignore(): void {}
