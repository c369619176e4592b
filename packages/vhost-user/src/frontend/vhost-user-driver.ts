import {
  featureSet,
  hasFeature,
  packedRingAreas,
  type RingAreas,
  refused,
  splitRingAreas,
  VIRTIO_F_ACCESS_PLATFORM,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_RING_PACKED,
  VIRTIO_F_VERSION_1,
  VringError,
} from '@vring/layout'
import { closeFd, PollSet, UnixSocket } from '@vring/linux'
import { createDriverQueue } from '@vring/virtqueue'
import { MessageReader } from '../messages/message-reader.ts'
import { type InflightPayload, IOTLB_MISS, IOTLB_UPDATE, iotlb } from '../messages/payload.ts'
import { PROTOCOL_F_BACKEND_REQ, PROTOCOL_F_INFLIGHT_SHMFD } from '../messages/protocol-features.ts'
import type { Transport } from '../messages/transport.ts'
import { BACKEND_CONFIG_CHANGE_MSG, BACKEND_IOTLB_MSG } from '../session/backend-channel.ts'
import { type DriverAnswer, DriverRing } from './driver-ring.ts'
import { VhostUserFrontend } from './frontend.ts'
import { FrontendMemory } from './frontend-memory.ts'

/** What a driver of any device acknowledges by itself. */
export const DRIVER_FEATURES: bigint = featureSet(VIRTIO_F_VERSION_1, VIRTIO_F_EVENT_IDX, VIRTIO_F_INDIRECT_DESC)

export interface VhostUserDriverOptions {
  /** The backend's socket; or `transport`, for a backend in this process. */
  readonly path?: string
  /** Gives a connection to the backend: a new one for each {@link VhostUserDriver.reconnect}. */
  readonly transport?: () => Transport
  /** Features of the device type that are acknowledged where they are on offer, beside {@link DRIVER_FEATURES}. */
  readonly features?: bigint
  /** Rings. Default 1. */
  readonly queues?: number
  /** Entries of each ring. Default 256. */
  readonly queueSize?: number
  /** Bytes of the longest request, room included. Default 4096. */
  readonly slotBytes?: number
  /**
   * Called again and again while something is waited for; default: sleeps in poll(2). A backend in this thread runs
   * here.
   */
  readonly wait?: () => void
}

/** Guest address of the shared memory. Not 0: a device that forgets to translate is found out. */
const GUEST_ADDRESS = 2 ** 32
const PAGE = 4096

/**
 * The whole driver of a device over vhost-user. It connects, negotiates, drives the device status, shares memory and
 * runs rings with buffers. It connects again after the backend died, with what was in flight.
 *
 * ```ts
 * using driver = VhostUserDriver.connect({ path: '/run/vring.sock', queues: 2 })
 * driver.rings[1].send([header, frame])
 * driver.rings[1].kick()
 * ```
 */
export class VhostUserDriver {
  readonly rings: readonly DriverRing[]
  readonly memory: FrontendMemory
  readonly #options: VhostUserDriverOptions
  readonly #queueSize: number
  #frontend: VhostUserFrontend | null = null
  #channel: { readonly socket: UnixSocket; readonly reader: MessageReader } | null = null
  #inflight: { readonly payload: InflightPayload; readonly fd: number } | null = null
  /** Times the device said that its configuration changed. */
  configChanges = 0

  private constructor(options: VhostUserDriverOptions, frontend: VhostUserFrontend) {
    const { queues = 1, queueSize = 256, slotBytes = 4096 } = options
    this.#options = options
    this.#queueSize = queueSize
    this.#frontend = frontend
    const slots = Math.max(1, queueSize >> 2)
    const ringBytes = PAGE * Math.ceil((26 * queueSize + 12) / PAGE) + 2 * PAGE
    const perQueue = ringBytes + PAGE * Math.ceil((slots * slotBytes) / PAGE)
    this.memory = new FrontendMemory({ bytes: queues * perQueue, guestAddress: GUEST_ADDRESS })
    const { region, space } = this.memory
    const { features } = frontend
    this.rings = Array.from({ length: queues }, (_, index) => {
      const userRing = this.#ringAt(index * perQueue, region.userAddress)
      const queue = createDriverQueue({ ring: userRing, memory: space, features, pinned: true })
      const at = GUEST_ADDRESS + index * perQueue + ringBytes
      const place = { ring: this.#ringAt(index * perQueue), userRing, at, slots, slotBytes }
      return new DriverRing(index, queue, this.memory, place)
    })
  }

  /**
   * Connects, negotiates and starts all rings.
   *
   * @throws VringError ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE; ERR_PROTOCOL, ERR_CLOSED and ERR_SYSTEM as
   * `VhostUserFrontend`
   */
  static connect(options: VhostUserDriverOptions): VhostUserDriver {
    const { queues = 1, queueSize = 256, slotBytes = 4096 } = options
    if (!Number.isInteger(queueSize) || queueSize < 1 || queueSize > 32_768)
      throw refused('ERR_OUT_OF_RANGE', 'queueSize', queueSize, '1 to 32768 entries')
    if (options.path === undefined && options.transport === undefined)
      throw refused('ERR_INVALID_ARGUMENT', 'path', options.path, 'the path of a socket, or transport')
    if (!Number.isInteger(queues) || queues < 1 || queues > 256)
      throw refused('ERR_OUT_OF_RANGE', 'queues', queues, '1 to 256')
    if (!Number.isInteger(slotBytes) || slotBytes < 1)
      throw refused('ERR_OUT_OF_RANGE', 'slotBytes', slotBytes, '1 or more')
    const frontend = open(options)
    let driver: VhostUserDriver | null = null
    try {
      frontend.negotiate(DRIVER_FEATURES | (options.features ?? 0n))
      driver = new VhostUserDriver(options, frontend)
      driver.#start()
      return driver
    } catch (error) {
      if (driver === null) frontend.close()
      else driver.close()
      throw error
    }
  }

  get frontend(): VhostUserFrontend {
    if (this.#frontend === null) throw new VringError('ERR_CLOSED', 'the driver is not connected')
    return this.#frontend
  }

  /** Negotiated virtio features. */
  get features(): bigint {
    return this.frontend.features
  }

  /**
   * Reads the device's configuration space (CONFIG).
   *
   * @throws VringError ERR_PROTOCOL when the device has none there
   */
  config(offset: number, length: number): Uint8Array {
    const reply = this.frontend.call('GET_CONFIG', { offset, flags: 0, bytes: new Uint8Array(length) })
    if (reply === null || reply.bytes.length !== length)
      throw refused('ERR_PROTOCOL', 'GET_CONFIG', `${length} bytes at ${offset}`, 'a part of the configuration space')
    return reply.bytes
  }

  /**
   * Sends a request and waits for its answer; those of other requests of the ring are dropped meanwhile.
   *
   * @throws VringError ERR_SYSTEM when it does not come within `timeoutMs`
   */
  request(index: number, parts: readonly Uint8Array[], room: number, timeoutMs = 10_000): DriverAnswer {
    const ring = this.rings[index]!
    const token = ring.send(parts, room)
    if (token < 0) throw new VringError('ERR_INVALID_STATE', `queue ${index}: every slot is under way`)
    ring.kick()
    for (;;) {
      const answer = this.receive(index, timeoutMs)
      if (answer.token === token) return answer
    }
  }

  /**
   * Waits for the next answer on a ring.
   *
   * @throws VringError ERR_SYSTEM when none comes within `timeoutMs`
   */
  receive(index: number, timeoutMs = 10_000): DriverAnswer {
    const ring = this.rings[index]!
    const end = performance.now() + timeoutMs
    for (;;) {
      const answer = ring.receive()
      if (answer !== null) return answer
      const left = end - performance.now()
      if (left <= 0)
        throw new VringError('ERR_SYSTEM', `queue ${index}: no answer within ${timeoutMs} ms`, { value: 'ETIMEDOUT' })
      this.wait([ring], left)
    }
  }

  /** Waits until one of these rings was signalled, or the backend asks something, which is answered. */
  wait(rings: readonly DriverRing[] = this.rings, timeoutMs = 1000): void {
    if (this.#options.wait !== undefined) this.#options.wait()
    else {
      const poll = new PollSet()
      const calls = rings.flatMap(({ signals }) => (signals === null ? [] : [signals.call]))
      poll.watch([...calls.map(({ fd }) => fd), this.#channel?.socket.fd ?? -1])
      poll.wait(Math.min(Math.ceil(timeoutMs), 1000))
    }
    for (const { signals } of rings) signals?.call.drain()
    this.#answerBackend()
  }

  /**
   * Connects to a backend that took the place of the one before. Rings go on where they are, and the backend gets the
   * inflight area back, so that nothing is lost.
   *
   * @throws VringError as {@link connect}; ERR_PROTOCOL when the new backend lacks features that were negotiated
   */
  reconnect(): void {
    const { features } = this.frontend
    this.#disconnect()
    const frontend = open(this.#options)
    this.#frontend = frontend
    if (frontend.negotiate(features) !== features)
      throw refused(
        'ERR_PROTOCOL',
        'features',
        `0x${frontend.features.toString(16)}`,
        `0x${features.toString(16)}, as before`,
      )
    this.#start()
  }

  /** Stops all rings and hangs up; gives memory back. A second call does nothing. */
  close(): void {
    this.#disconnect()
    if (this.#inflight !== null) closeFd(this.#inflight.fd)
    this.#inflight = null
    this.memory.close()
  }

  #start(): void {
    const frontend = this.frontend
    if (hasFeature(frontend.protocolFeatures, PROTOCOL_F_BACKEND_REQ)) this.#openChannel(frontend)
    frontend.shareMemory([this.memory])
    if (hasFeature(frontend.protocolFeatures, PROTOCOL_F_INFLIGHT_SHMFD)) this.#shareInflight(frontend)
    const platform = hasFeature(frontend.features, VIRTIO_F_ACCESS_PLATFORM)
    const { region } = this.memory
    for (const one of this.rings) {
      // With an IOMMU rings are told by IOVAs, which are the guest's addresses here, else by the frontend's addresses.
      const ring = platform ? one.ring : one.userRing
      one.signals = frontend.startQueue(one.index, ring, one.base)
      one.signals.kick.signal()
    }
    if (platform) this.#tell(region.guestAddress)
    this.#answerBackend()
  }

  #shareInflight(frontend: VhostUserFrontend): void {
    if (this.#inflight === null) {
      const fds: number[] = []
      const asked = { size: 0, offset: 0, queueCount: this.rings.length, queueSize: this.#queueSize }
      const payload = frontend.call('GET_INFLIGHT_FD', asked, [], fds)
      this.#inflight = { payload, fd: fds[0]! }
    }
    frontend.call('SET_INFLIGHT_FD', this.#inflight.payload, [this.#inflight.fd])
  }

  #openChannel(frontend: VhostUserFrontend): void {
    const [mine, theirs] = UnixSocket.pair()
    this.#channel = { socket: mine, reader: new MessageReader(mine, 4096, 0) }
    try {
      frontend.call('SET_BACKEND_REQ_FD', null, [theirs.fd])
    } finally {
      theirs.close()
    }
  }

  /** Answers what the backend asks on its own socket. */
  #answerBackend(): void {
    const channel = this.#channel
    if (channel === null) return
    for (let message = channel.reader.next(); typeof message !== 'string'; message = channel.reader.next()) {
      if (message.request === BACKEND_CONFIG_CHANGE_MSG) this.configChanges++
      if (message.request !== BACKEND_IOTLB_MSG || message.payload.length !== 32) continue
      const { type, iova } = iotlb.decode(new DataView(message.payload.buffer))
      if (type === IOTLB_MISS) this.#tell(iova)
    }
  }

  /** The translation of an IOVA: that of the whole memory, when it is inside. */
  #tell(iova: number): void {
    const { guestAddress, size, userAddress } = this.memory.region
    if (iova < guestAddress || iova >= guestAddress + size) return
    this.frontend.call('IOTLB_MSG', { iova: guestAddress, size, userAddress, permission: 3, type: IOTLB_UPDATE })
  }

  #ringAt(offset: number, base: number = GUEST_ADDRESS): RingAreas {
    const at = base + offset
    const size = this.#queueSize
    const avail = at + 16 * size
    const used = avail + PAGE * Math.ceil((6 + 2 * size) / PAGE)
    const areas = hasFeature(this.frontend.features, VIRTIO_F_RING_PACKED) ? packedRingAreas : splitRingAreas
    return areas(size, hasFeature(this.frontend.features, VIRTIO_F_EVENT_IDX), at, avail, used)
  }

  #disconnect(): void {
    this.#frontend?.close()
    this.#frontend = null
    this.#channel?.socket.close()
    this.#channel = null
    for (const ring of this.rings) ring.signals = null
  }
}

function open({ path, transport, wait }: VhostUserDriverOptions): VhostUserFrontend {
  return new VhostUserFrontend({
    transport: transport?.() ?? UnixSocket.connect(path!),
    ...(wait === undefined ? {} : { wait }),
  })
}
