import {
  deviceStatusNames,
  featureSet,
  hasFeature,
  type RingAreas,
  VHOST_USER_F_PROTOCOL_FEATURES,
  VIRTIO_STATUS_ACKNOWLEDGE,
  VIRTIO_STATUS_DRIVER,
  VIRTIO_STATUS_DRIVER_OK,
  VIRTIO_STATUS_FEATURES_OK,
  VringError,
} from '@vring/layout'
import { closeFd, EventFd, PollSet } from '@vring/linux'
import type { FrontendMemory } from './frontend-memory.ts'
import { encodeMessage, FLAG_NEED_REPLY, FLAG_REPLY } from './header.ts'
import { type IncomingMessage, MessageReader } from './message-reader.ts'
import {
  type FdPolicy,
  MESSAGES,
  type MessageSpec,
  type ReplyPayload,
  type RequestName,
  type RequestPayload,
  requestLabel,
} from './messages.ts'
import { none, type PayloadCodec, u64 } from './payload.ts'
import {
  PROTOCOL_F_BACKEND_REQ,
  PROTOCOL_F_CONFIG,
  PROTOCOL_F_CONFIGURE_MEM_SLOTS,
  PROTOCOL_F_INFLIGHT_SHMFD,
  PROTOCOL_F_LOG_SHMFD,
  PROTOCOL_F_MQ,
  PROTOCOL_F_NET_MTU,
  PROTOCOL_F_RARP,
  PROTOCOL_F_REPLY_ACK,
  PROTOCOL_F_RESET_DEVICE,
  PROTOCOL_F_STATUS,
} from './protocol-features.ts'
import type { Transport } from './transport.ts'

/**
 * Protocol features that the frontend speaks, and so acknowledges. A backend that was promised more waits for it: DPDK's
 * serves no ring before the driver's status says DRIVER_OK once STATUS is acknowledged.
 */
export const FRONTEND_PROTOCOL_FEATURES: bigint = featureSet(
  PROTOCOL_F_MQ,
  PROTOCOL_F_LOG_SHMFD,
  PROTOCOL_F_RARP,
  PROTOCOL_F_REPLY_ACK,
  PROTOCOL_F_NET_MTU,
  PROTOCOL_F_BACKEND_REQ,
  PROTOCOL_F_CONFIG,
  PROTOCOL_F_INFLIGHT_SHMFD,
  PROTOCOL_F_RESET_DEVICE,
  PROTOCOL_F_CONFIGURE_MEM_SLOTS,
  PROTOCOL_F_STATUS,
)

/**
 * How long an answer is looked for before this thread sleeps, in microseconds: most are there by then, and waking a thread takes
 * longer.
 */
const LOOK_US = 100

/** Bytes of the longest reply. */
const REPLY_BYTES_MAX = 4096

export interface FrontendOptions {
  readonly transport: Transport
  /**
   * Called again and again while an answer is not there. Default: waits for the socket, 10 s at most. A test in one
   * thread lets the backend run here.
   */
  readonly wait?: () => void
}

/** The two signals of a running ring. */
export interface FrontendQueue {
  /** The driver signals it: buffers were made available. */
  readonly kick: EventFd
  /** The device signals it: buffers were used. */
  readonly call: EventFd
}

/**
 * The driver's end of a vhost-user connection: negotiates, shares memory, starts and stops rings. For tests and
 * conformance suites; the rings themselves are the driver's, with `@vring/virtqueue`.
 */
export class VhostUserFrontend {
  readonly #transport: Transport
  readonly #reader: MessageReader
  readonly #wait: () => void
  /** How long to look for an answer before waiting for it, in ms. */
  readonly #lookMs: number
  readonly #queues = new Map<number, FrontendQueue>()
  /** Negotiated, by {@link negotiate}. */
  features = 0n
  /** Negotiated, by {@link negotiate}. */
  protocolFeatures = 0n
  /** The device status as this driver set it (VirtIO 1.3 section 2.1); told to the backend when STATUS is negotiated. */
  status = 0

  constructor(options: FrontendOptions) {
    this.#transport = options.transport
    this.#reader = new MessageReader(options.transport, REPLY_BYTES_MAX, 1)
    this.#wait = options.wait ?? socketWait(options.transport)
    this.#lookMs = options.wait === undefined ? LOOK_US / 1000 : 0
  }

  /**
   * Sends a request and takes its answer: what the table says, else the acknowledgement when REPLY_ACK is negotiated.
   *
   * @param fds travel with it and stay open here
   * @param replyFds takes the descriptors that come with the answer, which are the caller's
   * @throws VringError ERR_PROTOCOL when the backend refuses, ERR_CLOSED when it hangs up, ERR_SYSTEM
   */
  call<Name extends RequestName>(
    name: Name,
    payload: RequestPayload<Name>,
    fds: readonly number[] = [],
    replyFds: number[] = [],
  ): ReplyPayload<Name> {
    const spec = MESSAGES[name] as unknown as MessageSpec<RequestPayload<Name>, ReplyPayload<Name>>
    const ack = spec.reply === null && hasFeature(this.protocolFeatures, PROTOCOL_F_REPLY_ACK)
    this.#transport.send(encodeMessage(spec.id, ack ? FLAG_NEED_REPLY : 0, spec.request.encode(payload)), fds)
    if (spec.reply !== null) return spec.reply.decode(this.#reply(spec.id, spec.reply, spec.replyFds, replyFds))
    if (ack) {
      const status = u64.decode(this.#reply(spec.id, u64))
      if (status !== 0n)
        throw new VringError('ERR_PROTOCOL', `${name}: the backend refused it`, { field: name, value: status })
    } else if (name === 'SET_LOG_BASE') this.#reply(spec.id, none)
    return null as ReplyPayload<Name>
  }

  /**
   * Takes ownership, resets the device, negotiates protocol features and features: the first steps of VirtIO 1.3 section
   * 3.1.1.
   *
   * @param wanted virtio features; those that the backend offers are acknowledged, with PROTOCOL_FEATURES
   * @param wantedProtocol protocol features; those are acknowledged that the backend offers and this frontend speaks
   * ({@link FRONTEND_PROTOCOL_FEATURES}). Default all of them
   * @returns the negotiated virtio features
   * @throws VringError ERR_PROTOCOL when the device does not keep FEATURES_OK, and as {@link call}
   */
  negotiate(wanted: bigint, wantedProtocol: bigint = FRONTEND_PROTOCOL_FEATURES): bigint {
    this.call('SET_OWNER', null)
    const offered = this.call('GET_FEATURES', null)
    const protocol = featureSet(VHOST_USER_F_PROTOCOL_FEATURES)
    if ((offered & protocol) !== 0n) {
      const features = this.call('GET_PROTOCOL_FEATURES', null) & wantedProtocol & FRONTEND_PROTOCOL_FEATURES
      this.call('SET_PROTOCOL_FEATURES', features)
      this.protocolFeatures = features
    }
    this.setStatus(0)
    this.setStatus(VIRTIO_STATUS_ACKNOWLEDGE)
    this.setStatus(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER)
    this.features = offered & (wanted | protocol)
    this.call('SET_FEATURES', this.features)
    this.setStatus(this.status | VIRTIO_STATUS_FEATURES_OK)
    this.#checkFeaturesOk()
    return this.features
  }

  /** Sets the device status; the backend is told when STATUS is negotiated. */
  setStatus(status: number): void {
    if (hasFeature(this.protocolFeatures, PROTOCOL_F_STATUS)) this.call('SET_STATUS', BigInt(status))
    this.status = status
  }

  /** Shares this memory, and no other (SET_MEM_TABLE). */
  shareMemory(memories: readonly FrontendMemory[]): void {
    this.call(
      'SET_MEM_TABLE',
      memories.map((memory) => memory.region),
      memories.map((memory) => memory.fd),
    )
  }

  /**
   * Tells the backend of a ring, starts it and enables it.
   *
   * @param ring where the driver put it, by user addresses of the shared memory
   * @param base where the device begins (`DriverQueue.base`); what {@link stopQueue} said, for a ring that goes on
   */
  startQueue(index: number, ring: RingAreas, base = 0): FrontendQueue {
    this.#dropQueue(index)
    const kick = EventFd.create()
    let call: EventFd
    try {
      call = EventFd.create()
    } catch (error) {
      kick.close()
      throw error
    }
    const queue = { kick, call }
    this.#queues.set(index, queue)
    const [desc, avail, used] = [ring.desc.address, ring.driver.address, ring.device.address]
    this.call('SET_VRING_NUM', { index, num: ring.queueSize })
    this.call('SET_VRING_BASE', { index, num: base })
    this.call('SET_VRING_ADDR', { index, flags: 0, desc, avail, used, log: 0 })
    this.call('SET_VRING_CALL', { index, hasFd: true }, [queue.call.fd])
    this.call('SET_VRING_KICK', { index, hasFd: true }, [queue.kick.fd])
    if (hasFeature(this.features, VHOST_USER_F_PROTOCOL_FEATURES)) this.call('SET_VRING_ENABLE', { index, num: 1 })
    // Said with the first ring: a backend that waits for others waits for them, too.
    if ((this.status & VIRTIO_STATUS_DRIVER_OK) === 0) this.setStatus(this.status | VIRTIO_STATUS_DRIVER_OK)
    return queue
  }

  /** Stops a ring; returns where the device stopped: its base. */
  stopQueue(index: number): number {
    const { num } = this.call('GET_VRING_BASE', { index, num: 0 })
    this.#dropQueue(index)
    return num
  }

  /** Hangs up. A second call does nothing. */
  close(): void {
    for (const index of [...this.#queues.keys()]) this.#dropQueue(index)
    // No answer brings descriptors; those that came all the same are not kept.
    for (const fd of this.#reader.takeFds()) closeFd(fd)
    this.#transport.close()
  }

  #checkFeaturesOk(): void {
    if (!hasFeature(this.protocolFeatures, PROTOCOL_F_STATUS)) return
    const status = Number(this.call('GET_STATUS', null))
    if ((status & VIRTIO_STATUS_FEATURES_OK) === 0)
      throw new VringError('ERR_PROTOCOL', `the device status is ${deviceStatusNames(status)}; accepted: FEATURES_OK`, {
        field: 'device status',
        value: status,
      })
  }

  #dropQueue(index: number): void {
    const queue = this.#queues.get(index)
    queue?.kick.close()
    queue?.call.close()
    this.#queues.delete(index)
  }

  #reply(id: number, codec: PayloadCodec<unknown>, policy: FdPolicy = [0, 0], replyFds: number[] = []): DataView {
    for (const end = performance.now() + this.#lookMs; ; ) {
      const message = this.#reader.next()
      if (message === 'closed') throw new VringError('ERR_CLOSED', 'the backend hung up')
      if (message === 'none') {
        if (performance.now() >= end) this.#wait()
        continue
      }
      const problem = replyProblem(message, id, codec, policy)
      if (problem === null) {
        replyFds.push(...message.fds)
        return new DataView(message.payload.buffer)
      }
      for (const fd of message.fds) closeFd(fd)
      throw new VringError('ERR_PROTOCOL', problem, { field: requestLabel(id) })
    }
  }
}

/** What is wrong with an answer, or null. */
function replyProblem(
  { request, flags, payload, fds }: IncomingMessage,
  id: number,
  codec: PayloadCodec<unknown>,
  policy: FdPolicy,
): string | null {
  const name = requestLabel(id)
  if (request !== id || (flags & FLAG_REPLY) === 0) return `an answer to ${requestLabel(request)}; accepted: to ${name}`
  const [least, most] = codec.bytes
  if (payload.length < least || payload.length > most)
    return `the answer to ${name} has ${payload.length} bytes; accepted: ${least} to ${most}`
  if (fds.length < policy[0] || fds.length > policy[1])
    return `the answer to ${name} has ${fds.length} descriptors; accepted: ${policy[0]} to ${policy[1]}`
  return null
}

function socketWait(transport: Transport): () => void {
  const poll = new PollSet()
  poll.watch([transport.fd])
  return () => {
    if (poll.wait(10_000) === 0)
      throw new VringError('ERR_SYSTEM', 'the backend does not answer within 10 s', {
        field: 'poll',
        value: 'ETIMEDOUT',
      })
  }
}
