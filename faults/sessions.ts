import {
  type BackendSessionOptions,
  PROTOCOL_F_INFLIGHT_SHMFD,
  PROTOCOL_F_MQ,
  PROTOCOL_F_REPLY_ACK,
  type StartedVring,
} from '@vring/vhost-user'
import { RecyclingDevice } from '../packages/vhost-user/test/recycling-device.ts'
import { SessionPair } from '../packages/vhost-user/test/session-pair.ts'

/** A device that notes its requests in flight, and keeps the ring that it was given last. */
export class TrackingDevice extends RecyclingDevice {
  readonly tracksInflight = true
  vring: StartedVring | null = null

  override startQueue(vring: StartedVring): void {
    this.vring = vring
    super.startQueue(vring)
  }
}

/** A session of such a device whose frontend has negotiated what a test needs. */
export function trackingSession(
  options: Partial<BackendSessionOptions> = {},
): SessionPair & { readonly device: TrackingDevice } {
  const pair = new SessionPair(new TrackingDevice(), options)
  pair.negotiate([PROTOCOL_F_MQ, PROTOCOL_F_REPLY_ACK, PROTOCOL_F_INFLIGHT_SHMFD])
  return pair as SessionPair & { readonly device: TrackingDevice }
}
