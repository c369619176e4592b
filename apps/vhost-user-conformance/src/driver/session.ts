import { featureSet, hasFeature, VHOST_USER_F_PROTOCOL_FEATURES } from '@vring/layout'
import { PROTOCOL_F_REPLY_ACK } from '@vring/vhost-user'
import { fail, same } from '../case.ts'
import type { DeviceProfile, DeviceRequest } from '../device/profile.ts'
import type { Connection } from '../wire/connection.ts'
import { memoryTable, NOTHING, u64 } from '../wire/payloads.ts'
import type { Request } from '../wire/requests.ts'
import type { DriverRing } from './driver-ring.ts'
import { PackedRing } from './packed-ring.ts'
import { Queue } from './queue.ts'
import type { SharedMemory } from './shared-memory.ts'
import { SplitRing } from './split-ring.ts'

export interface QueueOptions {
  /** Entries. Default 64. */
  readonly size?: number
  /** Where its indices begin. Default 0. */
  readonly start?: number
  /** Where it lies. Default: the session's first memory. */
  readonly memory?: SharedMemory
}

/** What a session negotiates and shares. */
export interface SessionSetup {
  readonly connection: Connection
  readonly device: DeviceProfile | null
  /** Virtio features that are acknowledged. */
  readonly features: bigint
  /** Protocol features that are acknowledged; null: not even that there are any. */
  readonly protocol: bigint | null
  readonly packed: boolean
  readonly eventIdx: boolean
  /** Ring addresses are I/O virtual addresses: guest addresses, by an identity map that the case sends. */
  readonly iova: boolean
  readonly memories: readonly SharedMemory[]
}

/** A driver at work: a connection that is negotiated, memory that is shared, queues. */
export class Session {
  readonly connection: Connection
  readonly device: DeviceProfile | null
  readonly features: bigint
  readonly protocol: bigint
  readonly hasProtocolFeatures: boolean
  readonly #setup: SessionSetup
  readonly queues = new Map<number, Queue>()
  /** Done again and again while the device is waited for: answers what it asks. */
  attend: () => void = () => {}

  constructor(setup: SessionSetup) {
    this.#setup = setup
    this.connection = setup.connection
    this.device = setup.device
    this.features = setup.features
    this.protocol = setup.protocol ?? 0n
    this.hasProtocolFeatures = setup.protocol !== null
  }

  get memory(): SharedMemory {
    return this.#setup.memories[0] ?? fail('the case shares no memory')
  }

  get packed(): boolean {
    return this.#setup.packed
  }

  get hasReplyAck(): boolean {
    return hasFeature(this.protocol, PROTOCOL_F_REPLY_ACK)
  }

  /** Owner, protocol features, features: as QEMU does it. */
  negotiate(): void {
    const { connection } = this
    connection.send('SET_OWNER')
    if (this.hasProtocolFeatures) connection.send('SET_PROTOCOL_FEATURES', u64(this.protocol))
    this.tell('SET_FEATURES', u64(this.features))
  }

  /** SET_MEM_TABLE with all of the session's memories, or with these. */
  shareMemory(memories: readonly SharedMemory[] = this.#setup.memories): void {
    const table = memoryTable(memories.map(({ region }) => region))
    this.tell(
      'SET_MEM_TABLE',
      table,
      memories.map(({ fd }) => fd),
    )
  }

  /**
   * Sends something that a back-end has to accept; with REPLY_ACK it has to say so.
   *
   * @throws CaseFailure when it is refused
   */
  tell(request: Request, payload: Uint8Array = NOTHING, fds: readonly number[] = []): void {
    if (!this.hasReplyAck) this.connection.send(request, payload, fds)
    else same(this.connection.status(request, payload, fds), 0n, `${request}: the status`)
  }

  /** The address that a message or a descriptor has to name for a place in shared memory. */
  ringAddress(memory: SharedMemory, offset: number): number {
    return this.#setup.iova ? memory.guest(offset) : memory.user(offset)
  }

  /** A queue's ring and eventfds; nothing is sent. */
  queue(index: number, { size = 64, start = 0, memory = this.memory }: QueueOptions = {}): Queue {
    const { packed, eventIdx } = this.#setup
    const ring = packed
      ? new PackedRing(memory, size, { eventIdx, start })
      : new SplitRing(memory, size, { eventIdx, start })
    return this.adopt(index, ring)
  }

  /** A queue over a ring that is there already, as of a session before. */
  adopt(index: number, ring: DriverRing): Queue {
    const queue = new Queue(this, index, ring)
    this.queues.get(index)?.close()
    this.queues.set(index, queue)
    return queue
  }

  /** All queues that the device waits for, running; returns the one that takes requests. */
  startDevice(options: QueueOptions = {}): Queue {
    const device = this.profile
    const queues = device.queues.map((index) => this.queue(index, options))
    for (const queue of queues) queue.start()
    return this.queues.get(device.requestQueue)!
  }

  /** The queues of the device that do not take requests, running: some back-ends serve none before all are there. */
  startCompanions(options: QueueOptions = {}): void {
    const device = this.profile
    for (const index of device.queues) if (index !== device.requestQueue) this.queue(index, options).start()
  }

  get profile(): DeviceProfile {
    return this.device ?? fail('the case needs a device that the judge knows')
  }

  /** Puts requests into a queue and publishes them; no kick. */
  submit(queue: Queue, count = 1, indirect = false): ReadonlyMap<number, DeviceRequest> {
    const requests = this.add(queue, count, indirect)
    queue.ring.publish()
    return requests
  }

  /** Puts requests into a queue that the device does not see before they are published. */
  add(queue: Queue, count = 1, indirect = false): ReadonlyMap<number, DeviceRequest> {
    const requests = new Map<number, DeviceRequest>()
    for (let n = 0; n < count; n++) {
      const request = this.profile.request(queue.ring.memory)
      requests.set(queue.ring.add(request.chain, indirect), request)
    }
    return requests
  }

  /** Waits for requests and looks at what the device made of them. */
  collect(queue: Queue, requests: ReadonlyMap<number, DeviceRequest>): void {
    for (const used of queue.used(requests.size)) requests.get(used.id)?.check(used)
  }

  /** Requests from begin to end: submit, kick, collect; as many at a time as the ring has room for. */
  work(queue: Queue, count = 1, indirect = false): void {
    const descriptors = indirect ? 1 : this.profile.descriptors
    for (let left = count; left > 0; ) {
      const batch = Math.min(left, Math.floor(queue.ring.room / descriptors))
      const requests = this.submit(queue, batch, indirect)
      queue.kick()
      this.collect(queue, requests)
      left -= batch
    }
  }

  close(): void {
    for (const queue of this.queues.values()) queue.close()
  }
}

/** The features of a list that a back-end offers. */
export function offeredOf(offered: bigint, bits: readonly number[]): bigint {
  return offered & featureSet(...bits)
}

/** The bit that says that there are protocol features. */
export const PROTOCOL_FEATURES_BIT: bigint = featureSet(VHOST_USER_F_PROTOCOL_FEATURES)
