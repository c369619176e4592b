import { DeviceIotlb, type IotlbMiss } from '@vring/iotlb'
import {
  checkQueueSize,
  featureSet,
  hasFeature,
  isVringError,
  type RingAreas,
  refused,
  splitRingAreas,
  VHOST_F_LOG_ALL,
  VHOST_USER_F_PROTOCOL_FEATURES,
  VIRTIO_F_ACCESS_PLATFORM,
  VIRTIO_F_EVENT_IDX,
  VringError,
} from '@vring/layout'
import { ACCESS_WRITE, DirtyBitmap, GUEST_SLOTS_MAX, noDirtyLog } from '@vring/memory'
import { BackendChannel } from './backend-channel.ts'
import type { StartedVring, VhostUserDevice } from './device.ts'
import { encodeMessage, FLAG_NEED_REPLY, FLAG_REPLY } from './header.ts'
import { type IncomingMessage, MessageReader } from './message-reader.ts'
import {
  MESSAGE_FDS_MAX,
  MESSAGES,
  type MessageSpec,
  PAYLOAD_BYTES_MAX,
  type ReplyPayload,
  type RequestName,
  type RequestPayload,
  requestName,
} from './messages.ts'
import { IOTLB_INVALIDATE, IOTLB_UPDATE, none, u64, VRING_F_LOG, type VringAddrPayload } from './payload.ts'
import {
  PROTOCOL_F_BACKEND_REQ,
  PROTOCOL_F_CONFIGURE_MEM_SLOTS,
  PROTOCOL_F_INBAND_NOTIFICATIONS,
  PROTOCOL_F_LOG_SHMFD,
  PROTOCOL_F_MQ,
  PROTOCOL_F_NET_MTU,
  PROTOCOL_F_RARP,
  PROTOCOL_F_REPLY_ACK,
  PROTOCOL_F_RESET_DEVICE,
  PROTOCOL_F_STATUS,
} from './protocol-features.ts'
import type { MappedMemory, RingEvent, SessionHost } from './session-host.ts'
import { SessionMemory } from './session-memory.ts'
import { SessionVring } from './session-vring.ts'
import type { Transport } from './transport.ts'

/** What a session watches and tells; for people. */
export type SessionTrace = (direction: 'in' | 'out', bytes: Uint8Array, fds: readonly number[]) => void

export interface BackendSessionOptions {
  readonly transport: Transport
  readonly device: VhostUserDevice
  readonly host: SessionHost
  /** Sees every whole message. */
  readonly trace?: SessionTrace
  /** Bytes of memory that the frontend may share, all regions together. Default {@link MEMORY_BYTES_MAX}, 64 GiB. */
  readonly memoryBytesMax?: number
}

type Handlers = { [Name in RequestName]: (payload: RequestPayload<Name>, fds: number[]) => ReplyPayload<Name> }

/**
 * Bytes that a dirty log may have: enough for 16 TiB of guest-physical addresses. It is refused before it is mapped, as
 * mapping takes long (see MEMORY_BYTES_MAX).
 */
const LOG_BYTES_MAX = 2 ** 29

/** Messages that one {@link BackendSession.poll} handles at most: rings get their turn whatever the frontend sends. */
const MESSAGES_PER_POLL = 64

/**
 * The device's end of a vhost-user connection: a state machine over a transport that configures a
 * {@link VhostUserDevice}. It never throws: a request it refuses is answered with a failure when an acknowledgement was
 * asked for (REPLY_ACK), and ends the session otherwise. Descriptors and mappings are given back on every path.
 */
export class BackendSession {
  readonly memory: SessionMemory
  readonly vrings: readonly SessionVring[]
  /** Filled by IOTLB_MSG; used when VIRTIO_F_ACCESS_PLATFORM is negotiated. */
  readonly iotlb: DeviceIotlb = new DeviceIotlb({ onMiss: (miss) => this.#askFor(miss) })
  /** Why the session ended; null while it lives and when the frontend closed it between two messages. */
  error: VringError | null = null
  /** Requests that were refused with an answer. */
  refusals = 0
  /** The last refusal. */
  lastRefusal: VringError | null = null

  readonly #transport: Transport
  readonly #device: VhostUserDevice
  readonly #host: SessionHost
  readonly #trace: SessionTrace
  readonly #reader: MessageReader
  readonly #handlers: Handlers
  #channel: BackendChannel | null = null
  #features = 0n
  #featuresSet = false
  #protocolFeatures = 0n
  #status = 0
  #log: MappedMemory | null = null
  #logBytes: Uint8Array | null = null
  #active: readonly number[] = []
  #generation = 0
  #closed = false

  constructor(options: BackendSessionOptions) {
    this.#transport = options.transport
    this.#device = options.device
    this.#host = options.host
    this.#trace = options.trace ?? (() => {})
    this.#reader = new MessageReader(options.transport, PAYLOAD_BYTES_MAX, MESSAGE_FDS_MAX)
    this.memory = new SessionMemory(options.host, () => this.#memorySwapped(), options.memoryBytesMax)
    this.vrings = Array.from({ length: options.device.queueCount }, (_, index) => new SessionVring(index))
    this.#handlers = this.#makeHandlers()
  }

  /** The transport's descriptor, for poll(2). */
  get fd(): number {
    return this.#transport.fd
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Virtio features that were negotiated. */
  get features(): bigint {
    return this.#features
  }

  get protocolFeatures(): bigint {
    return this.#protocolFeatures
  }

  /** Virtio features on offer. */
  get offeredFeatures(): bigint {
    return this.#device.features | featureSet(VHOST_USER_F_PROTOCOL_FEATURES, VHOST_F_LOG_ALL)
  }

  /** Protocol features on offer: what this package implements, as far as the device takes part. */
  get offeredProtocolFeatures(): bigint {
    const device = this.#device
    const bits = [
      PROTOCOL_F_MQ,
      PROTOCOL_F_LOG_SHMFD,
      PROTOCOL_F_REPLY_ACK,
      PROTOCOL_F_BACKEND_REQ,
      PROTOCOL_F_RESET_DEVICE,
      PROTOCOL_F_CONFIGURE_MEM_SLOTS,
      PROTOCOL_F_STATUS,
    ]
    if (device.setMtu !== undefined) bits.push(PROTOCOL_F_NET_MTU)
    if (device.sendRarp !== undefined) bits.push(PROTOCOL_F_RARP)
    return featureSet(...bits)
  }

  /** Indices of the rings that run, ascending. Replaced, never changed. */
  get activeQueues(): readonly number[] {
    return this.#active
  }

  /** Changes whenever {@link activeQueues} or a kick descriptor does. */
  get generation(): number {
    return this.#generation
  }

  /**
   * Handles the messages that are there, without waiting. Call it between rounds.
   *
   * @returns `idle`: nothing was there. `handled`: look again soon. `closed`: the session is over.
   */
  poll(): 'idle' | 'handled' | 'closed' {
    let result: 'idle' | 'handled' = 'idle'
    for (let count = 0; count < MESSAGES_PER_POLL && !this.#closed; count++) {
      try {
        const message = this.#reader.next()
        if (message === 'none') break
        if (message === 'closed') this.close()
        else this.#handle(message)
        result = 'handled'
      } catch (error) {
        this.close(error)
      }
    }
    return this.#closed ? 'closed' : result
  }

  /**
   * Ends the session: stops all rings, gives memory and descriptors back. Never throws; a second call does nothing.
   *
   * @param error why, when it is not the frontend's wish
   */
  close(error?: unknown): void {
    if (this.#closed) return
    this.#closed = true
    if (error !== undefined) this.error ??= asVringError(error)
    const steps = [
      () => this.#device.quiesce?.(),
      () => this.#resetDevice(),
      () => this.#closeLog(),
      () => this.memory.close(),
      () => this.#device.resume?.(),
      () => this.#channel?.close(),
      () => this.#closeFds(this.#reader.takeFds()),
      () => this.#transport.close(),
    ]
    for (const step of steps) {
      try {
        step()
      } catch (failure) {
        this.error ??= asVringError(failure)
      }
    }
  }

  #handle(message: IncomingMessage): void {
    const { request, flags, payload, fds } = message
    this.#trace('in', encodeMessage(request, flags & ~3, payload), fds)
    const name = requestName(request)
    try {
      if (name === null) throw refused('ERR_PROTOCOL', 'request', request, 'a request of the protocol table')
      const reply = this.#dispatch(name, message)
      this.#answer(name, flags, reply)
    } catch (error) {
      this.#refuse(name, message, asVringError(error))
    } finally {
      // Handlers take out of the list what they keep.
      this.#closeFds(fds)
    }
  }

  /** Checks a request against the table and runs its handler. Returns the encoded answer, or null. */
  #dispatch<Name extends RequestName>(name: Name, { flags, payload, fds }: IncomingMessage): Uint8Array | null {
    const spec: MessageSpec<RequestPayload<Name>, ReplyPayload<Name>> = MESSAGES[name] as unknown as MessageSpec<
      RequestPayload<Name>,
      ReplyPayload<Name>
    >
    if ((flags & FLAG_REPLY) !== 0) throw refused('ERR_PROTOCOL', `${name} flags`, flags, 'a request, not a reply')
    const [least, most] = spec.request.bytes
    if (payload.length < least || payload.length > most)
      throw refused('ERR_PROTOCOL', `${name} payload size`, payload.length, range(least, most))
    const [fdsLeast, fdsMost] = spec.fds
    if (fds.length < fdsLeast || fds.length > fdsMost)
      throw refused('ERR_PROTOCOL', `${name} descriptors`, fds.length, range(fdsLeast, fdsMost))
    if (spec.requires !== null && !hasFeature(this.#protocolFeatures, spec.requires))
      throw refused('ERR_PROTOCOL', name, 'sent', `protocol feature ${spec.requires} negotiated first`)
    const decoded = spec.request.decode(new DataView(payload.buffer, payload.byteOffset, payload.length))
    const handler = this.#handlers[name] as (payload: RequestPayload<Name>, fds: number[]) => ReplyPayload<Name>
    const reply = spec.quiesces ? this.#quiesced(() => handler(decoded, fds)) : handler(decoded, fds)
    return spec.reply === null ? null : spec.reply.encode(reply)
  }

  #quiesced<T>(change: () => T): T {
    this.#device.quiesce?.()
    try {
      return change()
    } finally {
      this.#device.resume?.()
    }
  }

  #wantsAck(flags: number): boolean {
    return (flags & FLAG_NEED_REPLY) !== 0 && hasFeature(this.#protocolFeatures, PROTOCOL_F_REPLY_ACK)
  }

  #answer(name: RequestName, flags: number, reply: Uint8Array | null): void {
    const { id } = MESSAGES[name]
    if (reply !== null) this.#send(id, reply)
    // Answered when LOG_SHMFD is negotiated, REPLY_ACK or not; without payload, as frontends expect it.
    else if (name === 'SET_LOG_BASE') this.#send(id, none.encode(null))
    else if (this.#wantsAck(flags)) this.#send(id, u64.encode(0n))
  }

  /** A refused request: a failure is answered where one can be, else the frontend would believe it was done. */
  #refuse(name: RequestName | null, { request, flags }: IncomingMessage, error: VringError): void {
    const answerable = name === null || (MESSAGES[name].reply === null && name !== 'SET_LOG_BASE')
    if (!answerable || !this.#wantsAck(flags) || error.code === 'ERR_CLOSED') {
      this.close(error)
      return
    }
    this.refusals++
    this.lastRefusal = error
    try {
      this.#send(request, u64.encode(1n))
    } catch (failure) {
      this.close(failure)
    }
  }

  #send(request: number, payload: Uint8Array): void {
    const bytes = encodeMessage(request, FLAG_REPLY, payload)
    this.#trace('out', bytes, [])
    this.#transport.send(bytes)
  }

  #closeFds(fds: number[]): void {
    for (const fd of fds.splice(0)) this.#host.closeFd(fd)
  }

  #vring(index: number): SessionVring {
    const vring = this.vrings[index]
    if (vring === undefined) throw refused('ERR_PROTOCOL', 'queue index', index, `0 to ${this.vrings.length - 1}`)
    return vring
  }

  #stoppedVring(index: number, field: string): SessionVring {
    const vring = this.#vring(index)
    if (vring.running)
      throw new VringError('ERR_INVALID_STATE', `${field}: queue ${index} is running; GET_VRING_BASE stops it`, {
        field,
      })
    return vring
  }

  #makeHandlers(): Handlers {
    const device = this.#device
    return {
      GET_FEATURES: () => this.offeredFeatures,
      SET_FEATURES: (features) => this.#setFeatures(features),
      SET_OWNER: () => null,
      RESET_OWNER: () => {
        for (const vring of this.vrings) this.#enable(vring, false)
        return null
      },
      SET_MEM_TABLE: (regions, fds) => this.#changeMemory(() => this.memory.replace(regions, fds)),
      SET_LOG_BASE: ({ size, offset }, fds) => {
        if (size > LOG_BYTES_MAX) throw refused('ERR_OUT_OF_RANGE', 'log size', size, `at most ${LOG_BYTES_MAX}`)
        this.#setLog(this.#host.mapMemory(fds[0]!, offset, size), size)
        return null
      },
      // A signal for each logged write: frontends read the log in rounds and don't wait for it. The descriptor is closed.
      SET_LOG_FD: () => null,
      SET_VRING_NUM: ({ index, num }) => {
        const vring = this.#stoppedVring(index, 'SET_VRING_NUM')
        checkQueueSize(num, 'queue size')
        const most = device.queueSizeMax ?? 32768
        if (num > most) throw refused('ERR_OUT_OF_RANGE', 'queue size', num, `at most ${most}`)
        vring.size = num
        return null
      },
      SET_VRING_ADDR: (address) => {
        this.#move(this.#vring(address.index), address)
        return null
      },
      SET_VRING_BASE: ({ index, num }) => {
        // The used index is read from the ring.
        if (num > 0xffff) throw refused('ERR_OUT_OF_RANGE', 'avail index', num, '0 to 65535')
        this.#stoppedVring(index, 'SET_VRING_BASE').base = num
        return null
      },
      GET_VRING_BASE: ({ index }) => {
        const vring = this.#vring(index)
        this.#stopForGood(vring)
        return { index, num: vring.base }
      },
      SET_VRING_KICK: ({ index, hasFd }, fds) => {
        const vring = this.#vring(index)
        vring.setKick(this.#vringEvent(hasFd, fds))
        this.#generation++
        try {
          this.#start(vring)
        } catch (error) {
          vring.dropKick()
          throw error
        }
        return null
      },
      SET_VRING_CALL: ({ index, hasFd }, fds) => {
        const vring = this.#vring(index)
        vring.setCall(this.#vringEvent(hasFd, fds))
        // Buffers may have been used while there was no descriptor to tell it by.
        if (vring.running) vring.call?.signal()
        return null
      },
      SET_VRING_ERR: ({ index, hasFd }, fds) => {
        this.#vring(index).setError(this.#vringEvent(hasFd, fds))
        return null
      },
      GET_PROTOCOL_FEATURES: () => this.offeredProtocolFeatures,
      SET_PROTOCOL_FEATURES: (features) => this.#setProtocolFeatures(features),
      GET_QUEUE_NUM: () => BigInt(device.queueNum),
      SET_VRING_ENABLE: ({ index, num }) => {
        if (num > 1) throw refused('ERR_OUT_OF_RANGE', 'enable', num, '0 or 1')
        if (!hasFeature(this.#features, VHOST_USER_F_PROTOCOL_FEATURES))
          throw refused('ERR_PROTOCOL', 'SET_VRING_ENABLE', 'sent', 'VHOST_USER_F_PROTOCOL_FEATURES acknowledged first')
        this.#enable(this.#vring(index), num === 1)
        return null
      },
      SEND_RARP: (mac) => {
        device.sendRarp?.(u64.encode(mac).subarray(0, 6))
        return null
      },
      NET_SET_MTU: (mtu) => {
        if (mtu < 68n || mtu > 65535n) throw refused('ERR_OUT_OF_RANGE', 'mtu', mtu, '68 to 65535')
        device.setMtu?.(Number(mtu))
        return null
      },
      SET_BACKEND_REQ_FD: (_, fds) => {
        const transport = this.#host.transport(fds[0]!)
        fds.shift()
        this.#channel?.close()
        this.#channel = new BackendChannel(transport)
        return null
      },
      IOTLB_MSG: ({ type, iova, size, userAddress, permission }) => {
        if (!hasFeature(this.#features, VIRTIO_F_ACCESS_PLATFORM))
          throw refused('ERR_PROTOCOL', 'IOTLB_MSG', 'sent', 'VIRTIO_F_ACCESS_PLATFORM acknowledged first')
        if (type === IOTLB_UPDATE) this.iotlb.update(iova, size, userAddress, permission)
        else if (type === IOTLB_INVALIDATE) this.iotlb.invalidate(iova, size)
        else throw refused('ERR_PROTOCOL', 'IOTLB type', type, `${IOTLB_UPDATE} or ${IOTLB_INVALIDATE}`)
        return null
      },
      RESET_DEVICE: () => {
        this.#resetDevice()
        return null
      },
      GET_MAX_MEM_SLOTS: () => BigInt(GUEST_SLOTS_MAX),
      ADD_MEM_REG: (region, fds) => this.#changeMemory(() => this.memory.add(region, fds[0]!)),
      REM_MEM_REG: (region) => this.#changeMemory(() => this.memory.remove(region)),
      SET_STATUS: (status) => {
        if (status > 0xffn) throw refused('ERR_OUT_OF_RANGE', 'status', status, '0 to 255')
        this.#status = Number(status)
        device.setStatus?.(this.#status)
        if (this.#status === 0) for (const vring of this.vrings) this.#stopForGood(vring)
        return null
      },
      GET_STATUS: () => BigInt(this.#status),
    }
  }

  #setFeatures(features: bigint): null {
    const unknown = features & ~this.offeredFeatures
    if (unknown !== 0n)
      throw refused('ERR_PROTOCOL', 'features', hex(unknown), `a subset of ${hex(this.offeredFeatures)}`)
    const changed = this.#features ^ features
    if (this.#active.length > 0 && (changed & ~featureSet(VHOST_F_LOG_ALL)) !== 0n)
      throw new VringError('ERR_INVALID_STATE', 'SET_FEATURES: only logging changes while rings run', {
        field: 'features',
      })
    this.#features = features
    this.#featuresSet = true
    this.#switchLog()
    // Without protocol features there is no SET_VRING_ENABLE: rings begin enabled.
    if (!hasFeature(features, VHOST_USER_F_PROTOCOL_FEATURES))
      for (const vring of this.vrings) this.#enable(vring, true)
    return null
  }

  #setProtocolFeatures(features: bigint): null {
    const inband = hasFeature(features, PROTOCOL_F_INBAND_NOTIFICATIONS)
    const needed = featureSet(PROTOCOL_F_BACKEND_REQ, PROTOCOL_F_REPLY_ACK)
    if (inband && (features & needed) !== needed)
      throw new VringError('ERR_CLOSED', 'INBAND_NOTIFICATIONS without BACKEND_REQ and REPLY_ACK', {
        field: 'protocol features',
      })
    const unknown = features & ~this.offeredProtocolFeatures
    if (unknown !== 0n)
      throw refused(
        'ERR_PROTOCOL',
        'protocol features',
        hex(unknown),
        `a subset of ${hex(this.offeredProtocolFeatures)}`,
      )
    this.#protocolFeatures = features
    return null
  }

  /** Sends a miss to the frontend. Called inside a round, so it does not throw: a channel that fails is closed. */
  #askFor({ iova, perm }: IotlbMiss): void {
    try {
      this.#channel?.iotlbMiss(iova, perm)
    } catch {
      this.#channel?.close()
      this.#channel = null
    }
  }

  #enable(vring: SessionVring, enabled: boolean): void {
    if (vring.enabled === enabled) return
    vring.enabled = enabled
    if (vring.running) this.#device.setQueueEnabled(vring.index, enabled)
  }

  /** Regions change; rings that waited for theirs start. */
  #changeMemory(change: () => void): null {
    change()
    for (const vring of this.vrings) {
      if (!this.#isReady(vring) || !this.#isMapped(this.#areas(vring))) continue
      try {
        this.#start(vring)
      } catch {
        // The memory is changed, as was asked; that this ring does not start is the ring's error.
        vring.error?.signal()
      }
    }
    return null
  }

  /** The old regions are out of the space and still mapped: rings that lost theirs stop. */
  #memorySwapped(): void {
    this.#device.memoryChanged?.(this.memory)
    if (hasFeature(this.#features, VIRTIO_F_ACCESS_PLATFORM)) return
    for (const vring of this.vrings) {
      if (!vring.running || this.#isMapped(this.#areas(vring))) continue
      this.#stop(vring)
      vring.error?.signal()
    }
  }

  /** Moves a ring that may run: it goes on from where it was; where it was is where it stays when that is refused. */
  #move(vring: SessionVring, address: VringAddrPayload): void {
    const before = vring.address
    this.#stop(vring)
    vring.address = address
    try {
      this.#start(vring)
    } catch (error) {
      vring.address = before
      if (before !== null) this.#start(vring)
      throw error
    }
  }

  /** Starts a ring once everything it needs was told; else it waits for the rest. */
  #start(vring: SessionVring): void {
    if (!this.#isReady(vring)) return
    const ring = this.#areas(vring)
    const platform = hasFeature(this.#features, VIRTIO_F_ACCESS_PLATFORM)
    if (!platform && this.memory.regions.length === 0) return
    if (!platform && !this.#isMapped(ring))
      throw refused('ERR_OUT_OF_RANGE', `ring of queue ${vring.index}`, ring.desc.address, 'inside the memory table')
    this.#device.startQueue(this.#startedVring(vring, ring))
    vring.running = true
    if (vring.enabled) this.#device.setQueueEnabled(vring.index, true)
    this.#changed()
  }

  /** Stopped, and everything was told that a ring needs. */
  #isReady(vring: SessionVring): boolean {
    return !vring.running && vring.kicked && this.#featuresSet && vring.size > 0 && vring.address !== null
  }

  #startedVring(vring: SessionVring, ring: RingAreas): StartedVring {
    const { flags, log } = vring.address!
    return {
      index: vring.index,
      ring,
      nextAvail: vring.base,
      features: this.#features,
      memory: this.memory,
      usedLogAddress: (flags & VRING_F_LOG) !== 0 ? log : null,
      notify: () => vring.call?.signal(),
      signalError: () => vring.error?.signal(),
      iotlb: hasFeature(this.#features, VIRTIO_F_ACCESS_PLATFORM) ? this.iotlb : null,
    }
  }

  #stop(vring: SessionVring): void {
    if (!vring.running) return
    vring.running = false
    this.#changed()
    vring.base = this.#device.stopQueue(vring.index) & 0xffff
  }

  /** Stops a ring until it is kicked again. */
  #stopForGood(vring: SessionVring): void {
    this.#stop(vring)
    vring.dropKick()
    this.#generation++
  }

  #changed(): void {
    this.#active = this.vrings.filter((vring) => vring.running).map((vring) => vring.index)
    this.#generation++
  }

  #areas(vring: SessionVring): RingAreas {
    const { desc, avail, used } = vring.address!
    return splitRingAreas(vring.size, hasFeature(this.#features, VIRTIO_F_EVENT_IDX), desc, avail, used)
  }

  #isMapped(ring: RingAreas): boolean {
    return [ring.desc, ring.avail, ring.used].every(({ address, length }) => {
      for (let done = 0; done < length; done += this.memory.space.span)
        if (this.memory.space.resolveSpan(address + done, length - done, ACCESS_WRITE) < 0) return false
      return true
    })
  }

  #resetDevice(): void {
    for (const vring of this.vrings) {
      try {
        this.#stop(vring)
      } finally {
        vring.reset()
      }
    }
    this.#features = 0n
    this.#featuresSet = false
    this.#status = 0
    this.iotlb.reset()
    this.#switchLog()
    this.#device.reset?.()
  }

  #setLog(mapped: MappedMemory, size: number): void {
    const [window] = mapped.windows
    if (mapped.windows.length !== 1 || window === undefined) {
      mapped.close()
      throw refused('ERR_OUT_OF_RANGE', 'log size', size, 'one window of memory')
    }
    this.memory.setDirtyLog(noDirtyLog)
    this.#closeLog()
    this.#log = mapped
    this.#logBytes = new Uint8Array(window.view.buffer, window.viewOffset, window.length)
    this.#switchLog()
  }

  /** Buffers' writes are logged when there is a log and LOG_ALL asks for it. */
  #switchLog(): void {
    const on = this.#logBytes !== null && hasFeature(this.#features, VHOST_F_LOG_ALL)
    this.memory.setDirtyLog(on ? new DirtyBitmap(this.#logBytes!) : noDirtyLog)
  }

  #closeLog(): void {
    this.memory.setDirtyLog(noDirtyLog)
    this.#log?.close()
    this.#log = null
    this.#logBytes = null
  }

  /** The descriptor of SET_VRING_KICK, CALL or ERR; null when bit 8 says that there is none. */
  #vringEvent(hasFd: boolean, fds: number[]): RingEvent | null {
    if (fds.length !== (hasFd ? 1 : 0))
      throw refused('ERR_PROTOCOL', 'descriptors', fds.length, hasFd ? '1, as bit 8 is clear' : '0, as bit 8 is set')
    return hasFd ? this.#takeEvent(fds) : null
  }

  #takeEvent(fds: number[]): RingEvent {
    const event = this.#host.ringEvent(fds[0]!)
    fds.shift()
    return event
  }
}

function range(least: number, most: number): string {
  return least === most ? String(least) : `${least} to ${most}`
}

function hex(bits: bigint): string {
  return `0x${bits.toString(16)}`
}

function asVringError(error: unknown): VringError {
  if (isVringError(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  return new VringError('ERR_SYSTEM', message, { cause: error })
}
