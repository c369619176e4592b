import {
  featureNames,
  featureSet,
  hasFeature,
  refused,
  VHOST_F_LOG_ALL,
  VHOST_USER_F_PROTOCOL_FEATURES,
  VringError,
} from '@vring/layout'
import type { VhostUserDevice } from '../device/device.ts'
import {
  PROTOCOL_F_BACKEND_REQ,
  PROTOCOL_F_CONFIG,
  PROTOCOL_F_CONFIGURE_MEM_SLOTS,
  PROTOCOL_F_DEVICE_STATE,
  PROTOCOL_F_INBAND_NOTIFICATIONS,
  PROTOCOL_F_INFLIGHT_SHMFD,
  PROTOCOL_F_LOG_SHMFD,
  PROTOCOL_F_MQ,
  PROTOCOL_F_NET_MTU,
  PROTOCOL_F_RARP,
  PROTOCOL_F_REPLY_ACK,
  PROTOCOL_F_RESET_DEVICE,
  PROTOCOL_F_STATUS,
  protocolFeatureNames,
} from '../messages/protocol-features.ts'

/** What a session offers and what the frontend took: virtio features and those of the protocol. */
export class SessionNegotiation {
  readonly #device: VhostUserDevice
  #features = 0n
  #settled = false
  #protocolFeatures = 0n

  constructor(device: VhostUserDevice) {
    this.#device = device
  }

  /** Virtio features that were negotiated. */
  get features(): bigint {
    return this.#features
  }

  get protocolFeatures(): bigint {
    return this.#protocolFeatures
  }

  /** SET_FEATURES came: rings may run. */
  get settled(): boolean {
    return this.#settled
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
    if (device.readConfig !== undefined) bits.push(PROTOCOL_F_CONFIG)
    if (device.tracksInflight === true) bits.push(PROTOCOL_F_INFLIGHT_SHMFD)
    if (device.saveState !== undefined && device.loadState !== undefined) bits.push(PROTOCOL_F_DEVICE_STATE)
    if (device.setMtu !== undefined) bits.push(PROTOCOL_F_NET_MTU)
    if (device.sendRarp !== undefined) bits.push(PROTOCOL_F_RARP)
    return featureSet(...bits)
  }

  /** Was this virtio feature negotiated? */
  has(feature: number): boolean {
    return hasFeature(this.#features, feature)
  }

  /** Was this protocol feature negotiated? */
  hasProtocol(feature: number): boolean {
    return hasFeature(this.#protocolFeatures, feature)
  }

  /**
   * Takes what the frontend acknowledges (SET_FEATURES).
   *
   * @param ringsRun only logging may change then
   * @throws VringError ERR_PROTOCOL for a feature that was not offered, ERR_INVALID_STATE
   */
  setFeatures(features: bigint, ringsRun: boolean): void {
    const unknown = features & ~this.offeredFeatures
    if (unknown !== 0n)
      throw refused(
        'ERR_PROTOCOL',
        'SET_FEATURES',
        featureNames(unknown, this.#device.deviceId),
        `features on offer, ${featureNames(this.offeredFeatures, this.#device.deviceId)}`,
      )
    const changed = this.#features ^ features
    if (ringsRun && (changed & ~featureSet(VHOST_F_LOG_ALL)) !== 0n)
      throw new VringError('ERR_INVALID_STATE', 'SET_FEATURES: only logging changes while rings run', {
        field: 'features',
      })
    this.#features = features
    this.#settled = true
  }

  /**
   * Takes what the frontend acknowledges (SET_PROTOCOL_FEATURES).
   *
   * @throws VringError ERR_PROTOCOL for a feature that was not offered; ERR_CLOSED for a set that can't work
   */
  setProtocolFeatures(features: bigint): void {
    const inband = hasFeature(features, PROTOCOL_F_INBAND_NOTIFICATIONS)
    const needed = featureSet(PROTOCOL_F_BACKEND_REQ, PROTOCOL_F_REPLY_ACK)
    if (inband && (features & needed) !== needed)
      throw new VringError('ERR_CLOSED', 'INBAND_NOTIFICATIONS without BACKEND_REQ and REPLY_ACK', {
        field: 'protocol features',
      })
    const offered = this.offeredProtocolFeatures
    const unknown = features & ~offered
    if (unknown !== 0n)
      throw refused(
        'ERR_PROTOCOL',
        'SET_PROTOCOL_FEATURES',
        protocolFeatureNames(unknown),
        `protocol features on offer, ${protocolFeatureNames(offered)}`,
      )
    this.#protocolFeatures = features
  }

  /** A reset device has no virtio features; those of the protocol belong to the connection and stay. */
  reset(): void {
    this.#features = 0n
    this.#settled = false
  }
}
