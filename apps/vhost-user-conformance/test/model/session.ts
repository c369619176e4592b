import { closeFd, statFd, UnixSocket } from '@vring/linux'
import { REQUESTS, type Request } from '../../src/wire/requests.ts'
import type { ModelDevice } from './device.ts'
import { InflightArea } from './inflight-area.ts'
import { ModelLog } from './model-log.ts'
import { bit, FDS, FEATURES, GATES, INBAND, NAMES, PROTOCOL, QUEUES, SIZES, SLOTS } from './request-table.ts'
import { ModelRing } from './ring.ts'
import { ringRequest } from './ring-requests.ts'
import { SharedRegions } from './shared-regions.ts'

/** What the request is answered by: bytes, done, or refused; `close` ends the connection. */
type Answer = Uint8Array | 'done' | 'refused' | 'close' | 'sent'

/** One connection of the model back-end: right unless it has a fault. */
export class ModelSession {
  readonly socket: UnixSocket
  readonly device: ModelDevice
  readonly memory: SharedRegions
  readonly #log: ModelLog
  readonly rings: ModelRing[]
  readonly fault: (name: string) => boolean
  iotlb: { iova: bigint; size: bigint; user: bigint }[] = []
  tracking: InflightArea | null = null
  closed = false
  /** Rings that were started once. */
  readonly everStarted = new Set<number>()
  features = 0n
  #protocol = 0n
  #acknowledged = false
  #owned = false
  #status = 0
  #channel: UnixSocket | null = null
  #asked = new Set<bigint>()
  #bytes = new Uint8Array(0)
  #fds: number[] = []
  readonly #chunk = new Uint8Array(65_536)
  readonly #onAnomaly: () => void

  constructor(socket: UnixSocket, device: ModelDevice, fault: (name: string) => boolean, onAnomaly: () => void) {
    this.socket = socket
    this.device = device
    this.fault = fault
    this.#onAnomaly = onAnomaly
    this.memory = new SharedRegions(fault, () => {
      for (const ring of this.rings) ring.stop()
    })
    this.#log = new ModelLog(fault, onAnomaly)
    this.rings = Array.from({ length: QUEUES }, (_, index) => new ModelRing(this, index))
  }

  get packed(): boolean {
    return (this.features & bit(34)) !== 0n
  }
  get eventIdx(): boolean {
    return (this.features & bit(29)) !== 0n
  }
  get hasIndirect(): boolean {
    return (this.features & bit(28)) !== 0n
  }
  get isIova(): boolean {
    return (this.features & bit(33)) !== 0n
  }

  get hasFeatures(): boolean {
    return this.#acknowledged
  }

  /** Something that no driver and no front-end in its right mind does. */
  anomaly(): void {
    this.#onAnomaly()
  }

  get #offered(): bigint {
    const own = this.device.kind === 'net' ? bit(15, 3) : this.device.readOnly ? bit(9, 5) : bit(9)
    let offered = FEATURES | own
    if (this.fault('no-version-1')) offered &= ~bit(32)
    if (this.fault('features-change') && this.#acknowledged) offered &= ~bit(28)
    return offered
  }

  get #offeredProtocol(): bigint {
    if (this.fault('unknown-protocol-bit')) return PROTOCOL | bit(40)
    if (this.fault('inband-alone')) return bit(INBAND, 0)
    return PROTOCOL | bit(INBAND)
  }

  /** Reads and answers what is there. */
  read(): void {
    let count: number
    try {
      // Never into the next message, so that descriptors are those of this one.
      count = this.socket.receive(this.#chunk.subarray(0, this.#missing), this.#fds)
    } catch {
      count = 0
    }
    if (count < 0) return
    if (count === 0) {
      if (this.#bytes.length > 0) this.anomaly()
      this.close()
      return
    }
    this.#bytes = Uint8Array.of(...this.#bytes, ...this.#chunk.subarray(0, count))
    if (this.fault('whole-messages') && this.#missing > 0 && (this.#bytes.length < 12 || count < 12)) {
      this.close()
      return
    }
    if (this.#next() && !this.closed) this.read()
    else if (!this.closed && this.#bytes.length === 12 && this.#missing > 0) this.read()
  }

  /** Bytes until the end of the header, or of the message. */
  get #missing(): number {
    if (this.#bytes.length < 12) return 12 - this.#bytes.length
    const size = new DataView(this.#bytes.buffer).getUint32(8, true)
    return Math.min(12 + size, this.#chunk.length) - this.#bytes.length
  }

  #next(): boolean {
    if (this.#bytes.length < 12) return false
    const header = new DataView(this.#bytes.buffer)
    const [id, flags, size] = [header.getUint32(0, true), header.getUint32(4, true), header.getUint32(8, true)]
    if (((flags & 3) !== 1 && !this.fault('any-version')) || size > 4096) {
      this.anomaly()
      if (!this.fault('any-size')) this.close()
      return false
    }
    if (this.#bytes.length < 12 + size) return false
    const payload = this.#bytes.slice(12, 12 + size)
    this.#bytes = this.#bytes.slice(12 + size)
    const fds = this.#fds.splice(0)
    this.#handle(id, flags, payload, fds)
    if (!this.fault('keeps-descriptors')) for (const fd of fds) closeFd(fd)
    return true
  }

  #handle(id: number, flags: number, payload: Uint8Array, fds: number[]): void {
    const name = NAMES.get(id)
    let answer: Answer
    if ((flags & 4) !== 0) answer = 'refused'
    else if (name === undefined) answer = 'refused'
    else answer = this.#check(name, payload, fds) ?? this.#do(name, new DataView(payload.buffer), fds)
    if (answer === 'refused' || answer === 'close') this.anomaly()
    if (this.closed || answer === 'sent' || this.fault('mute')) return
    const hasAck = (this.#protocol & bit(3)) !== 0n || this.fault('acks-unnegotiated')
    if (answer === 'close' || (answer === 'refused' && this.fault('closes-on-refusal'))) {
      this.close()
      return
    }
    if (this.fault('acks-always') && answer === 'done') {
      this.#send(id, u64(0n))
      return
    }
    const wanted = ((flags & 8) !== 0 && hasAck) || (name === 'SET_LOG_BASE' && answer !== 'refused')
    if (typeof answer !== 'string') {
      this.#send(id, answer)
      if (this.fault('answers-twice') && (flags & 8) !== 0) this.#send(id, u64(0n))
      return
    }
    if (!wanted) {
      if (answer === 'refused') this.close()
      return
    }
    if (this.fault('acks-nothing') && id !== 6) return
    const gullible = this.fault('gullible') && answer === 'refused'
    if (name === 'SET_LOG_BASE' && ((flags & 8) === 0 || this.fault('log-without-status')) && answer === 'done') {
      if (!this.fault('log-unanswered')) this.#send(id, new Uint8Array(0))
      return
    }
    this.#send(id, u64((answer === 'done' || gullible) !== this.fault('status-inverted') ? 0n : 1n))
  }

  /** What is wrong with the form of a request. */
  #check(name: Request, payload: Uint8Array, fds: readonly number[]): Answer | null {
    const size = SIZES[name]
    if (payload.length > 100 && this.fault('drops-overlong')) return 'sent'
    if (size !== undefined && payload.length !== size) return 'refused'
    const [least, most] = FDS[name] ?? [0, 0]
    if (fds.length < least || fds.length > most) return FDS[name] === undefined ? null : 'refused'
    const gate = GATES[name]
    if (gate !== undefined && (this.#protocol & bit(gate)) === 0n && !this.fault('ungated')) return 'refused'
    return null
  }

  #do(name: Request, view: DataView, fds: number[]): Answer {
    switch (name) {
      case 'GET_FEATURES':
        return this.fault('features-late') && !this.#owned ? 'close' : u64(this.#offered)
      case 'SET_FEATURES':
        return this.#setFeatures(view.getBigUint64(0, true))
      case 'SET_OWNER':
        if (this.#owned && this.fault('answers-owner')) this.#send(REQUESTS.SET_OWNER, u64(0n))
        this.#owned = true
        return 'done'
      case 'RESET_OWNER':
        for (const ring of this.rings) ring.enabled = false
        return this.fault('reset-owner-closes') ? 'close' : 'done'
      case 'GET_PROTOCOL_FEATURES':
        return this.fault('protocol-late') && !this.#acknowledged ? 'close' : u64(this.#offeredProtocol)
      case 'SET_PROTOCOL_FEATURES':
        return this.#setProtocol(view.getBigUint64(0, true))
      case 'GET_QUEUE_NUM':
        return u64(this.fault('no-queues') ? 0n : BigInt(this.device.kind === 'net' ? QUEUES / 2 : QUEUES))
      case 'SET_MEM_TABLE':
        return this.memory.table(view, fds)
      case 'ADD_MEM_REG':
        return this.memory.add(view, fds)
      case 'REM_MEM_REG':
        return this.memory.remove(view, fds)
      case 'GET_MAX_MEM_SLOTS':
        return u64(BigInt(this.fault('no-slots') ? 0 : this.fault('fewer-slots') ? SLOTS + 4 : SLOTS))
      case 'SET_LOG_BASE':
        return this.#log.base(view, fds)
      case 'SET_BACKEND_REQ_FD':
        return this.#backendChannel(fds)
      case 'IOTLB_MSG':
        return this.#iotlbMessage(view)
      case 'GET_CONFIG':
      case 'SET_CONFIG':
        return this.#config(name, view)
      case 'GET_INFLIGHT_FD':
        return this.#getInflight(view)
      case 'SET_INFLIGHT_FD':
        return this.#setInflight(view, fds)
      case 'SET_STATUS':
        return this.#setStatus(view.getBigUint64(0, true))
      case 'GET_STATUS':
        return u64(this.fault('forgets-status') ? 7n : BigInt(this.#status))
      case 'RESET_DEVICE':
        if (!this.fault('resets-nothing')) this.#reset()
        return this.fault('reset-closes') ? 'close' : 'done'
      case 'NET_SET_MTU': {
        const mtu = view.getBigUint64(0, true)
        return (mtu >= 68n && mtu <= 65_535n) !== this.fault('mtu-inverted') ? 'done' : 'refused'
      }
      case 'SEND_RARP':
        return this.fault('no-rarp') ? 'refused' : 'done'
      case 'SET_LOG_FD':
        return 'done'
      default:
        return ringRequest(this, name, view, fds)
    }
  }

  #setFeatures(features: bigint): Answer {
    if ((features & ~this.#offered) !== 0n) return 'refused'
    if (this.fault('features-once') && this.#acknowledged) return 'refused'
    if (this.fault('wants-all-features') && features !== this.#offered) return 'refused'
    if (this.fault('packed-only') && (features & bit(34)) === 0n) return 'refused'
    if (this.fault('refuses-many-features') && (features & bit(28, 29, 34)) === bit(28, 29, 34)) return 'refused'
    this.features = features
    this.#acknowledged = true
    if (((features & bit(30)) === 0n && !this.fault('waits-for-enable')) || this.fault('starts-enabled'))
      for (const ring of this.rings) ring.enabled = true
    return 'done'
  }

  #setProtocol(features: bigint): Answer {
    if ((features & ~this.#offeredProtocol) !== 0n) return 'refused'
    if ((features & bit(INBAND)) !== 0n && (features & bit(3, 5)) !== bit(3, 5) && !this.fault('inband-unchecked'))
      return 'close'
    if (this.fault('protocol-late') && !this.#acknowledged) return 'done'
    this.#protocol |= this.fault('keeps-protocol') ? features : 0n
    if (!this.fault('keeps-protocol')) this.#protocol = features
    return 'done'
  }

  /** Notes what the device has written. */
  markPages(address: number, length: number): void {
    this.#log.mark((this.features & bit(26)) !== 0n, address, length)
  }

  #backendChannel(fds: number[]): Answer {
    this.#channel?.close()
    this.#channel = null
    if (statFd(fds[0]!).isRegular) return 'refused'
    if (this.isIova) this.#channel = new UnixSocket(fds.shift()!)
    // Held for nothing it could be the front-end's own end, and keep it from being seen to hang up.
    else this.anomaly()
    return 'done'
  }

  #iotlbMessage(view: DataView): Answer {
    if (!this.isIova) return 'refused'
    const [iova, size, user] = [0, 8, 16].map((at) => view.getBigUint64(at, true)) as [bigint, bigint, bigint]
    const type = view.getUint8(25)
    if (type !== 2 && type !== 3) return 'refused'
    if (type === 2 && (size === 0n || this.memory.resolve(user, 1, 'user') === null)) return 'refused'
    if (type === 3 && size >= 2n ** 63n && this.fault('no-everything')) return 'refused'
    if (this.fault('refuses-iotlb')) return 'refused'
    if (this.fault('never-invalidates') && type === 3) return 'done'
    this.iotlb = this.iotlb.filter((one) => one.iova + one.size <= iova || one.iova >= iova + size)
    this.#asked.clear()
    if (type === 2) this.iotlb.push({ iova, size, user })
    return 'done'
  }

  askMiss(address: bigint, write: boolean): void {
    if (this.#channel === null || this.#asked.has(address)) return
    this.#asked.add(address)
    const message = new Uint8Array(12 + 32)
    const view = new DataView(message.buffer)
    view.setUint32(0, 1, true)
    view.setUint32(4, 1, true)
    view.setUint32(8, 32, true)
    view.setBigUint64(12, this.fault('asks-elsewhere') ? 5n : address, true)
    view.setUint8(12 + 24, write ? 2 : 1)
    view.setUint8(12 + 25, 1)
    this.#channel.send(message)
  }

  #config(name: Request, view: DataView): Answer {
    if (view.byteLength < 12) return 'refused'
    const [offset, size, flags] = [0, 4, 8].map((at) => view.getUint32(at, true)) as [number, number, number]
    const space = this.device.config
    const inside = size === view.byteLength - 12 && offset + size <= space.length
    if (name === 'SET_CONFIG') {
      if (!inside || flags !== 0) return 'refused'
      if (this.fault('writable-config')) this.#written = new Uint8Array(view.buffer.slice(12))
      return this.fault('writable-config') ? 'done' : 'refused'
    }
    if (!inside && !this.fault('config-anywhere')) {
      this.anomaly()
      return new Uint8Array(0)
    }
    if (!inside) return new Uint8Array(12 + 300)
    const answer = new Uint8Array(view.buffer.slice(0))
    const from = this.fault('config-from-zero') ? 0 : offset
    answer.set((this.#written ?? space).subarray(from, from + size), 12)
    return this.fault('config-short') ? answer.slice(0, -1) : answer
  }
  #written: Uint8Array | null = null

  #getInflight(view: DataView): Answer {
    const [queues, size] = [view.getUint16(16, true), view.getUint16(18, true)]
    if (queues === 0 || queues > QUEUES || size > 32_768) return 'close'
    const area = InflightArea.create(queues, size, this.packed, this.fault)
    this.tracking?.close()
    this.tracking = area
    const answer = new Uint8Array(view.buffer.slice(0))
    new DataView(answer.buffer).setBigUint64(0, BigInt(this.fault('inflight-empty') ? 0 : area.size), true)
    this.#sendWith(REQUESTS.GET_INFLIGHT_FD, answer, [area.fd])
    return 'sent'
  }

  #setInflight(view: DataView, fds: number[]): Answer {
    const [queues, size] = [view.getUint16(16, true), view.getUint16(18, true)]
    const [bytes, offset] = [Number(view.getBigUint64(0, true)), Number(view.getBigUint64(8, true))]
    if (offset !== 0 || bytes < InflightArea.bytes(queues, size, this.packed) || bytes > statFd(fds[0]!).size)
      return 'refused'
    if (this.fault('refuses-inflight')) return 'refused'
    this.tracking?.close()
    this.tracking = new InflightArea(fds.shift()!, bytes, queues, size, this.packed, this.fault)
    return 'done'
  }

  #setStatus(status: bigint): Answer {
    if (status > 255n) return 'refused'
    this.#status = Number(status)
    if (status === 0n && !this.fault('resets-nothing')) for (const ring of this.rings) ring.stop()
    return 'done'
  }

  #reset(): void {
    this.#acknowledged = false
    for (const ring of this.rings) {
      ring.stop()
      ring.enabled = false
      ring.avail = 0
      ring.used = 0
    }
  }

  #send(id: number, payload: Uint8Array): void {
    this.#sendWith(id, payload, [])
  }

  #sendWith(id: number, payload: Uint8Array, fds: readonly number[]): void {
    const message = new Uint8Array(12 + payload.length)
    const view = new DataView(message.buffer)
    view.setUint32(0, this.fault('wrong-request') ? id + 1 : id, true)
    view.setUint32(4, this.fault('no-reply-flag') ? 1 : 5, true)
    view.setUint32(8, payload.length, true)
    message.set(payload, 12)
    try {
      this.socket.send(message, fds, 100)
    } catch {
      this.anomaly()
      this.close()
    }
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    if (this.fault('touches-after') && this.memory.regions.length > 0) return
    for (const ring of this.rings) ring.close()
    this.memory.replace([])
    this.#log.close()
    this.tracking?.close()
    this.#channel?.close()
    if (!this.fault('keeps-descriptors')) for (const fd of this.#fds.splice(0)) closeFd(fd)
    this.socket.close()
  }
}

function u64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, value, true)
  return bytes
}
