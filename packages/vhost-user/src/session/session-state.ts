import { DeviceIotlb, IOTLB_ENTRIES_MAX, type IotlbMiss } from '@vring/iotlb'
import { isVringError } from '@vring/layout'
import type { VhostUserDevice } from '../device/device.ts'
import type { SessionHost } from '../host/session-host.ts'
import { SessionInflight } from '../inflight/session-inflight.ts'
import { PROTOCOL_F_CONFIG } from '../messages/protocol-features.ts'
import type { Transport } from '../messages/transport.ts'
import { BackendChannel } from './backend-channel.ts'
import { iotlbEntriesFor } from './iotlb-entries.ts'
import { SessionLog } from './session-log.ts'
import { SessionMemory } from './session-memory.ts'
import { SessionNegotiation } from './session-negotiation.ts'
import { SessionRings } from './session-rings.ts'
import { SessionTransfer } from './session-transfer.ts'

/** Questions that may wait for room in the channel; the IOTLB forgets its oldest open ones, too. */
const UNSENT_MAX = 2048

/** Everything that the requests of a session change. */
export class SessionState {
  readonly device: VhostUserDevice
  readonly host: SessionHost
  readonly negotiation: SessionNegotiation
  readonly memory: SessionMemory
  readonly iotlb: DeviceIotlb
  readonly rings: SessionRings
  readonly log: SessionLog
  readonly inflight: SessionInflight
  readonly transfer: SessionTransfer
  /** The driver's device status (VirtIO 1.3 section 2.1). */
  status = 0
  /** Hears of refusals that are part of an answer. */
  onRefused: (error: unknown) => void = () => {}
  /** Can the frontend be answered? */
  isOpen: () => boolean = () => true
  #channel: BackendChannel | null = null
  /**
   * Questions that found no room in the channel, oldest first; each is in the IOTLB's list of open ones, which is
   * bounded.
   */
  #unsent: IotlbMiss[] = []

  /** @param memoryBytesMax see `BackendSessionOptions` */
  constructor(
    device: VhostUserDevice,
    host: SessionHost,
    memoryBytesMax: number | undefined,
    note: (line: string) => void = () => {},
  ) {
    this.device = device
    this.host = host
    this.negotiation = new SessionNegotiation(device)
    this.memory = new SessionMemory(
      host,
      () => this.#memorySwapped(),
      memoryBytesMax,
      () => device.logChanged?.(this.memory),
    )
    this.iotlb = new DeviceIotlb({
      limit: Math.max(IOTLB_ENTRIES_MAX, iotlbEntriesFor(device.queueCount)),
      onMiss: (miss) => this.#askFor(miss),
    })
    this.inflight = new SessionInflight(host, this.negotiation, device.queueCount)
    this.rings = new SessionRings(device, this.memory, this.iotlb, this.negotiation, this.inflight, note)
    this.log = new SessionLog(host, this.memory, this.negotiation)
    this.transfer = new SessionTransfer(device, host)
  }

  /** A request was answered with a failure of its own. */
  refused(error: unknown): void {
    this.onRefused(error)
  }

  /** What of the memory that the frontend gave has pages that turned out not to exist; null: nothing. */
  get lostPages(): string | null {
    const region = this.memory.faulted
    if (region !== null) return `the region at guest address 0x${region.guestAddress.toString(16)}`
    if (this.log.faulted) return 'the dirty log'
    return this.inflight.faulted ? 'the inflight area' : null
  }

  /** Takes the socket over on which the backend asks, in place of the one before, and asks what is open on it. */
  setChannel(transport: Transport): void {
    this.#channel?.close()
    this.#unsent = []
    this.#channel = new BackendChannel(transport)
    this.iotlb.askAgain()
  }

  /** Tells the frontend that the configuration space changed; false: it can't be told. */
  configChanged(): boolean {
    if (this.#channel === null || !this.negotiation.hasProtocol(PROTOCOL_F_CONFIG)) return false
    try {
      this.#channel.configChanged()
      return true
    } catch (error) {
      // There is no room now: what the driver is told of later, it reads as it is then.
      if (!isVringError(error) || error.value !== 'ETIMEDOUT') this.closeChannel()
      return false
    }
  }

  closeChannel(): void {
    this.#channel?.close()
    this.#channel = null
    this.#unsent = []
  }

  /** There are questions that found no room in the channel. */
  get hasUnsent(): boolean {
    return this.#unsent.length > 0
  }

  /** Asks again what found no room. */
  askUnsent(): void {
    if (this.#unsent.length === 0) return
    for (const miss of this.#unsent.splice(0)) this.#askFor(miss)
  }

  /** Back to the state before the first message, but for memory and protocol features, which are the connection's. */
  reset(): void {
    this.rings.reset()
    this.negotiation.reset()
    this.forget()
  }

  /**
   * What the driver's reset, however it comes (SET_STATUS 0, RESET_DEVICE, RESET_OWNER, a hang-up), leaves of it:
   * nothing. Rings are stopped or disabled by then; what waits for this driver is not the next one's.
   */
  forget(): void {
    this.status = 0
    this.iotlb.reset()
    this.log.update()
    this.inflight.close()
    this.transfer.close()
    this.device.reset?.()
  }

  #memorySwapped(): void {
    this.device.memoryChanged?.(this.memory)
    this.rings.stopUnmapped()
  }

  /** Sends a miss to the frontend. Called inside a round, so it does not throw: a channel that fails is closed. */
  #askFor(miss: IotlbMiss): void {
    if (this.#channel === null) return
    try {
      if (this.#unsent.length === 0) this.#channel.iotlbMiss(miss.iova, miss.perm)
      else if (this.#unsent.length < UNSENT_MAX) this.#unsent.push(miss)
    } catch (error) {
      if (isVringError(error) && error.value === 'ETIMEDOUT') this.#unsent.push(miss)
      else this.closeChannel()
    }
  }
}
