import {
  hasFeature,
  VIRTIO_F_ACCESS_PLATFORM,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_RING_PACKED,
  VIRTIO_F_VERSION_1,
} from '@vring/layout'
import { PROTOCOL_F_MQ, PROTOCOL_F_REPLY_ACK } from '@vring/vhost-user'
import { skip } from './case.ts'
import type { DeviceProfile } from './device/profile.ts'
import { offeredOf, PROTOCOL_FEATURES_BIT, Session } from './driver/session.ts'
import { SharedMemory, type SharedMemoryOptions } from './driver/shared-memory.ts'
import type { Target } from './target.ts'
import type { Connection } from './wire/connection.ts'

/** What the back-end offered when it was looked at first. */
export interface Offer {
  readonly features: bigint
  /** 0 where there are none. */
  readonly protocol: bigint
  /** Virtqueues: of GET_QUEUE_NUM as the device counts them, else of one device. */
  readonly queues: number
  /** Frames that are transmitted come back. */
  readonly echo: boolean
}

export interface OpenOptions {
  /** Virtio features beside VERSION_1, the device's own and PROTOCOL_FEATURES: bit numbers. */
  readonly features?: readonly number[]
  /** Protocol features beside REPLY_ACK and MQ: bit numbers. */
  readonly protocol?: readonly number[]
  /** PROTOCOL_FEATURES is not acknowledged. Default false. */
  readonly withoutProtocol?: boolean
  /** REPLY_ACK is not acknowledged. Default false. */
  readonly withoutReplyAck?: boolean
  readonly packed?: boolean
  readonly eventIdx?: boolean
  /** Default one of 2 MiB. */
  readonly memories?: readonly SharedMemory[]
  /** Negotiates, and shares no memory yet. Default false. */
  readonly unshared?: boolean
}

/** What a case has in its hands: connections to the back-end, and everything that is given back after it. */
export class Bench {
  readonly target: Target
  readonly offer: Offer
  readonly device: DeviceProfile | null
  readonly #owned: { close(): void }[] = []

  constructor(target: Target, offer: Offer, device: DeviceProfile | null) {
    this.target = target
    this.offer = offer
    this.device = device
  }

  /** A new connection on which nothing was said. */
  connect(): Connection {
    return this.#own(this.target.connect())
  }

  memory(options?: SharedMemoryOptions): SharedMemory {
    return this.#own(new SharedMemory(options))
  }

  /** Gives something back after the case. */
  own<T extends { close(): void }>(one: T): T {
    return this.#own(one)
  }

  /** A session that is negotiated and, unless told otherwise, shares its memory. */
  open(options: OpenOptions = {}): Session {
    const { features = [], protocol = [], packed = false, eventIdx = false } = options
    const wanted = [
      VIRTIO_F_VERSION_1,
      ...(this.device?.features ?? []),
      ...features,
      ...(packed ? [VIRTIO_F_RING_PACKED] : []),
      ...(eventIdx ? [VIRTIO_F_EVENT_IDX] : []),
    ]
    for (const bit of [
      ...features,
      ...(packed ? [VIRTIO_F_RING_PACKED] : []),
      ...(eventIdx ? [VIRTIO_F_EVENT_IDX] : []),
    ])
      if (!hasFeature(this.offer.features, bit)) skip(`feature ${bit} is not offered`)
    const hasProtocol = options.withoutProtocol !== true && (this.offer.features & PROTOCOL_FEATURES_BIT) !== 0n
    const usual = options.withoutReplyAck ? [PROTOCOL_F_MQ] : [PROTOCOL_F_MQ, PROTOCOL_F_REPLY_ACK]
    const session = this.#own(
      new Session({
        connection: this.connect(),
        device: this.device,
        features: offeredOf(this.offer.features, wanted) | (hasProtocol ? PROTOCOL_FEATURES_BIT : 0n),
        protocol: hasProtocol ? offeredOf(this.offer.protocol, [...usual, ...protocol]) : null,
        packed,
        eventIdx,
        iova: features.includes(VIRTIO_F_ACCESS_PLATFORM),
        memories: options.memories ?? [this.memory()],
      }),
    )
    session.negotiate()
    if (options.unshared !== true) session.shareMemory()
    return session
  }

  /** Indirect tables may be used. */
  get hasIndirect(): boolean {
    return hasFeature(this.offer.features, VIRTIO_F_INDIRECT_DESC)
  }

  /** Gives everything back, last first. */
  close(): void {
    for (const one of this.#owned.splice(0).reverse()) one.close()
  }

  #own<T extends { close(): void }>(one: T): T {
    this.#owned.push(one)
    return one
  }
}
