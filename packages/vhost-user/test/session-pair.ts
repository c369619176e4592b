import { featureSet, hasFeature, VHOST_USER_F_PROTOCOL_FEATURES, VIRTIO_F_VERSION_1 } from '@vring/layout'
import {
  BackendSession,
  type BackendSessionOptions,
  decodeMessage,
  encodeMessage,
  FLAG_NEED_REPLY,
  MESSAGES,
  type MemoryRegion,
  MessageReader,
  type MessageSpec,
  memoryTransportPair,
  PROTOCOL_F_CONFIGURE_MEM_SLOTS,
  PROTOCOL_F_LOG_SHMFD,
  PROTOCOL_F_MQ,
  PROTOCOL_F_REPLY_ACK,
  PROTOCOL_F_RESET_DEVICE,
  PROTOCOL_F_STATUS,
  type RequestName,
  type RequestPayload,
  type Transport,
} from '../src/index.ts'
import { CountingHost, FAKE_MEMORY_BYTES } from './counting-host.ts'
import { RecyclingDevice } from './recycling-device.ts'

/** Protocol features of most tests. */
export const USUAL_FEATURES: readonly number[] = [
  PROTOCOL_F_MQ,
  PROTOCOL_F_LOG_SHMFD,
  PROTOCOL_F_REPLY_ACK,
  PROTOCOL_F_RESET_DEVICE,
  PROTOCOL_F_CONFIGURE_MEM_SLOTS,
  PROTOCOL_F_STATUS,
]

/** A region of a {@link CountingHost} file, user address 2^40 above the guest's. */
export function region(guestAddress = 0, size: number = FAKE_MEMORY_BYTES): MemoryRegion {
  return { guestAddress, size, userAddress: 2 ** 40 + guestAddress, mmapOffset: 0 }
}

/** A session over memory and the frontend's end of it; messages can be as wrong as a test wants them. */
export class SessionPair {
  readonly host = new CountingHost()
  readonly device: RecyclingDevice
  readonly session: BackendSession
  readonly frontend: Transport
  readonly #reader: MessageReader
  /** Messages in both directions, as people read them. */
  readonly trace: string[] = []

  constructor(device: RecyclingDevice = new RecyclingDevice(), options: Partial<BackendSessionOptions> = {}) {
    const [frontend, transport] = memoryTransportPair()
    this.device = device
    this.frontend = frontend
    this.#reader = new MessageReader(frontend, 65_536, 8)
    this.session = new BackendSession({
      ...options,
      transport,
      device,
      host: this.host,
      trace: (direction, bytes, fds) => this.trace.push(`${direction} ${decodeMessage(bytes, fds)}`),
    })
  }

  /** Sends raw bytes and lets the session work. Returns the messages that came back. */
  raw(bytes: Uint8Array, fds: readonly number[] = []): string[] {
    this.frontend.send(bytes, fds)
    this.session.poll()
    return this.replies()
  }

  /** Sends a request of the table. `needReply` asks for an acknowledgement. */
  send<Name extends RequestName>(
    name: Name,
    payload: RequestPayload<Name>,
    fds: readonly number[] = [],
    needReply = false,
  ): string[] {
    const spec: MessageSpec<unknown, unknown> = MESSAGES[name]
    return this.raw(encodeMessage(spec.id, needReply ? FLAG_NEED_REPLY : 0, spec.request.encode(payload)), fds)
  }

  replies(): string[] {
    const found: string[] = []
    for (;;) {
      const message = this.#reader.next()
      if (typeof message === 'string') return found
      const { request, flags, payload } = message
      found.push(decodeMessage(encodeMessage(request, flags & ~3, payload)))
    }
  }

  /** Negotiates these protocol features (and VERSION_1, with PROTOCOL_FEATURES unless `legacy`). */
  negotiate(protocol: readonly number[] = USUAL_FEATURES, legacy = false): this {
    const features = featureSet(VIRTIO_F_VERSION_1) & this.device.features
    if (!legacy) {
      this.send('SET_PROTOCOL_FEATURES', featureSet(...protocol))
      this.send('SET_FEATURES', features | featureSet(VHOST_USER_F_PROTOCOL_FEATURES))
    } else this.send('SET_FEATURES', features)
    return this
  }

  /** Shares one region and starts ring `index`, 16 entries, from avail index `base`. */
  start(index: number, base = 0): this {
    if (this.session.memory.regions.length === 0) this.send('SET_MEM_TABLE', [region()], [this.host.file('memory')])
    const at = 2 ** 40 + 0x1_0000 * (index + 1)
    this.send('SET_VRING_NUM', { index, num: 16 })
    this.send('SET_VRING_BASE', { index, num: base })
    this.send('SET_VRING_ADDR', { index, flags: 0, desc: at, avail: at + 0x1000, used: at + 0x2000, log: 0 })
    this.send('SET_VRING_KICK', { index, hasFd: true }, [this.host.file('event')])
    if (hasFeature(this.session.features, VHOST_USER_F_PROTOCOL_FEATURES))
      this.send('SET_VRING_ENABLE', { index, num: 1 })
    return this
  }

  /** What the session did not give back: nothing, once it is closed. */
  leaks(): string[] {
    const files = [...this.host.open].map(([fd, kind]) => `${kind} ${fd}`)
    return this.host.mapped > 0 ? [...files, `${this.host.mapped} mappings`] : files
  }
}
