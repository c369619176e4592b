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
import { EventFd } from '@vring/linux'
import type { ReplyPayload, RequestName, RequestPayload } from '../messages/messages.ts'
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
} from '../messages/protocol-features.ts'
import type { Transport } from '../messages/transport.ts'
import type { FrontendMemory } from './frontend-memory.ts'
import { type FrontendReplies, type FrontendRequest, FrontendRequests } from './frontend-requests.ts'

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

/** The device status of a driver that has negotiated, and sets its rings up. */
const FEATURES_OK: number = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK

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
  readonly #requests: FrontendRequests
  readonly #queues = new Map<number, FrontendQueue>()
  /** Negotiated, by {@link negotiate}. */
  features = 0n
  /** Negotiated, by {@link negotiate}. */
  protocolFeatures = 0n
  /** The device status as this driver set it (VirtIO 1.3 section 2.1); told to the backend when STATUS is negotiated. */
  status = 0

  constructor(options: FrontendOptions) {
    this.#requests = new FrontendRequests(options.transport, options.wait)
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
    const [reply] = this.callAll([[name, payload, fds] as unknown as FrontendRequest], replyFds)
    return reply as ReplyPayload<Name>
  }

  /**
   * Sends requests one after the other, 32 before the first answer at most, and takes their answers. The backend is
   * waited for once and not for each. Those after a refused one were sent, too.
   *
   * @param replyFds takes the descriptors that come with the answers, in their order
   * @returns the answers, in the order of the requests
   * @throws VringError of the first request that was refused, when all are answered; else as {@link call}
   */
  callAll<const Requests extends readonly FrontendRequest[]>(
    requests: Requests,
    replyFds: number[] = [],
  ): FrontendReplies<Requests> {
    return this.#requests.call(requests, hasFeature(this.protocolFeatures, PROTOCOL_F_REPLY_ACK), replyFds)
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
    const [, offered] = this.callAll([
      ['SET_OWNER', null],
      ['GET_FEATURES', null],
    ])
    const protocol = featureSet(VHOST_USER_F_PROTOCOL_FEATURES)
    if ((offered & protocol) !== 0n) {
      const features = this.call('GET_PROTOCOL_FEATURES', null) & wantedProtocol & FRONTEND_PROTOCOL_FEATURES
      this.call('SET_PROTOCOL_FEATURES', features)
      this.protocolFeatures = features
    }
    const features = offered & (wanted | protocol)
    if (hasFeature(this.protocolFeatures, PROTOCOL_F_STATUS)) this.#acknowledge(features)
    else this.call('SET_FEATURES', features)
    this.features = features
    this.status = FEATURES_OK
    return features
  }

  /** The steps of the device status up to FEATURES_OK, which the device has to keep. */
  #acknowledge(features: bigint): void {
    const replies = this.callAll([
      ['SET_STATUS', 0n],
      ['SET_STATUS', BigInt(VIRTIO_STATUS_ACKNOWLEDGE)],
      ['SET_STATUS', BigInt(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER)],
      ['SET_FEATURES', features],
      ['SET_STATUS', BigInt(FEATURES_OK)],
      ['GET_STATUS', null],
    ])
    const status = Number(replies[5])
    if ((status & VIRTIO_STATUS_FEATURES_OK) === 0)
      throw new VringError('ERR_PROTOCOL', `the device status is ${deviceStatusNames(status)}; accepted: FEATURES_OK`, {
        field: 'device status',
        value: status,
      })
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
    const requests: FrontendRequest[] = [
      ['SET_VRING_NUM', { index, num: ring.queueSize }],
      ['SET_VRING_BASE', { index, num: base }],
      ['SET_VRING_ADDR', { index, flags: 0, desc, avail, used, log: 0 }],
      ['SET_VRING_CALL', { index, hasFd: true }, [queue.call.fd]],
      ['SET_VRING_KICK', { index, hasFd: true }, [queue.kick.fd]],
    ]
    if (hasFeature(this.features, VHOST_USER_F_PROTOCOL_FEATURES))
      requests.push(['SET_VRING_ENABLE', { index, num: 1 }])
    // Said with the first ring: a backend that waits for others waits for them, too.
    const status = this.status | VIRTIO_STATUS_DRIVER_OK
    if (status !== this.status && hasFeature(this.protocolFeatures, PROTOCOL_F_STATUS))
      requests.push(['SET_STATUS', BigInt(status)])
    this.callAll(requests)
    this.status = status
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
    this.#requests.close()
  }

  #dropQueue(index: number): void {
    const queue = this.#queues.get(index)
    queue?.kick.close()
    queue?.call.close()
    this.#queues.delete(index)
  }
}
