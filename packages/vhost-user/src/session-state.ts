import { DeviceIotlb, type IotlbMiss } from '@vring/iotlb'
import { BackendChannel } from './backend-channel.ts'
import type { VhostUserDevice } from './device.ts'
import type { SessionHost } from './session-host.ts'
import { SessionLog } from './session-log.ts'
import { SessionMemory } from './session-memory.ts'
import { SessionNegotiation } from './session-negotiation.ts'
import { SessionRings } from './session-rings.ts'
import type { Transport } from './transport.ts'

/** Everything that the requests of a session change. */
export class SessionState {
  readonly device: VhostUserDevice
  readonly host: SessionHost
  readonly negotiation: SessionNegotiation
  readonly memory: SessionMemory
  readonly iotlb: DeviceIotlb
  readonly rings: SessionRings
  readonly log: SessionLog
  /** The driver's device status (VirtIO 1.3 section 2.1). */
  status = 0
  #channel: BackendChannel | null = null

  /** @param memoryBytesMax see `BackendSessionOptions` */
  constructor(device: VhostUserDevice, host: SessionHost, memoryBytesMax: number | undefined) {
    this.device = device
    this.host = host
    this.negotiation = new SessionNegotiation(device)
    this.memory = new SessionMemory(host, () => this.#memorySwapped(), memoryBytesMax)
    this.iotlb = new DeviceIotlb({ onMiss: (miss) => this.#askFor(miss) })
    this.rings = new SessionRings(device, this.memory, this.iotlb, this.negotiation)
    this.log = new SessionLog(host, this.memory, this.negotiation)
  }

  /** Takes the socket over on which the backend asks, in place of the one before, and asks what is open on it. */
  setChannel(transport: Transport): void {
    this.#channel?.close()
    this.#channel = new BackendChannel(transport)
    this.iotlb.askAgain()
  }

  closeChannel(): void {
    this.#channel?.close()
    this.#channel = null
  }

  /** Back to the state before the first message, but for memory and protocol features, which are the connection's. */
  reset(): void {
    this.rings.reset()
    this.negotiation.reset()
    this.status = 0
    this.iotlb.reset()
    this.log.update()
    this.device.reset?.()
  }

  #memorySwapped(): void {
    this.device.memoryChanged?.(this.memory)
    this.rings.stopUnmapped()
  }

  /** Sends a miss to the frontend. Called inside a round, so it does not throw: a channel that fails is closed. */
  #askFor({ iova, perm }: IotlbMiss): void {
    try {
      this.#channel?.iotlbMiss(iova, perm)
    } catch {
      this.closeChannel()
    }
  }
}
